"""A service's federation: its keys and certificates are there, and it says where it is reached."""

from __future__ import annotations

import datetime as dt
import json
import secrets
import shutil
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glean.errors import CertificateError, SettingsError
from glean.federation_folder import FederationFolder
from glean.privacy.certificate_folder import make_certificates
from glean.privacy.certificates import (
    Authority,
    authority_fingerprint,
    read_server_certificate,
)
from glean.privacy.key_files import write_new
from glean.runs.folder import write_whole
from glean.service.superlink.public_name import PublicName

RENEWED_DAYS = 30
"""So long before its end the server's certificate is made anew."""

_TAKEN_OVER = ("ca.crt", "server.key", "server.pem", "model-key", "model-key.pub")
_OPTIONAL = ("ca.key", "members.json")


@dataclass(frozen=True)
class FederationStart:
    """What a service's federation is made of.

    Parameters
    ----------
    name : PublicName
        How bakeries reach it.
    certificates : Path, optional
        A folder as `glean certificates` made it, taken over at the first start.
    roots : Path, optional
        Roots of a given certificate; None where the federation's own authority vouches for it.
    """

    name: PublicName
    certificates: Path | None = None
    roots: Path | None = None


def begin_federation(folder: FederationFolder, start: FederationStart) -> bool:
    """Make a federation's keys and certificates, where they aren't there yet.

    Parameters
    ----------
    folder : FederationFolder
        Where they are kept.
    start : FederationStart
        What it is made of.

    Returns
    -------
    bool
        Whether the federation is new.

    Raises
    ------
    GleanError
        They can't be made, or what is there is of another name.
    """
    try:
        folder.path.parent.mkdir(parents=True, exist_ok=True)
        new = not folder.authority.exists()
        if new and start.certificates is not None:
            _take_over(folder, start.certificates)
        elif new:
            fresh = _fresh(folder)
            make_certificates(fresh, hosts=[start.name.host])
            _put_in_place(folder, fresh)
        _check_certificate(folder, start)
        roots = start.roots or folder.authority
        write_whole(folder.roots, roots.read_bytes())
    except OSError as error:
        raise CertificateError(
            f"the federation's keys can't be kept or read: {error.strerror or error} "
            f"({error.filename})"
        ) from error
    return new


def say_address(folder: FederationFolder, start: FederationStart, port: int) -> str:
    """Write down how bakeries reach the service, for invitations; HOST:PORT.

    Parameters
    ----------
    folder : FederationFolder
        Where that is kept.
    start : FederationStart
        What the federation is made of.
    port : int
        Where the service listens.

    Raises
    ------
    CertificateError
        The roots hold no certificate.
    """
    address = start.name.address(port)
    authority = authority_fingerprint(folder.roots.read_bytes())
    if authority is None:
        raise CertificateError(f"{start.roots or folder.roots}: found no certificate")
    facts = {
        "name": start.name.host,
        "address": address,
        "authority": authority.hex(),
    }
    write_whole(folder.facts, json.dumps(facts, indent=2).encode())
    return address


def _take_over(folder: FederationFolder, source: Path) -> None:
    missing = [name for name in _TAKEN_OVER if not (source / name).is_file()]
    if missing:
        raise SettingsError(
            f"--certificates: found no {', '.join(missing)} in {source}; wanted a folder as "
            "`glean certificates DIR --host NAME` makes it"
        )
    fresh = _fresh(folder)
    fresh.mkdir(mode=0o700)
    for name in (*_TAKEN_OVER, *_OPTIONAL):
        if (source / name).is_file():
            shutil.copy(source / name, fresh / name)
    _put_in_place(folder, fresh)


def _fresh(folder: FederationFolder) -> Path:
    """Give the name under which a folder is made; what a kill left there is taken away."""
    fresh = folder.path.with_name(f".{folder.path.name}-new")
    shutil.rmtree(fresh, ignore_errors=True)
    return fresh


def _put_in_place(folder: FederationFolder, fresh: Path) -> None:
    """Give a folder that is whole its name; what lies there without an authority is kept aside."""
    if folder.path.exists():
        folder.path.rename(folder.path.with_name(f"{folder.path.name}-{secrets.token_hex(4)}.old"))
    fresh.rename(folder.path)


def _check_certificate(folder: FederationFolder, start: FederationStart) -> None:
    """Make the server's certificate anew where it lacks the name, ends soon, or isn't whole."""
    if not _is_whole(folder):
        _certify(folder, [start.name.host], "isn't there with a key that fits it")
        return
    found = read_server_certificate(folder.certificate.read_bytes())
    lacks = start.roots is None and start.name.host not in found.hosts
    days = (found.until - dt.datetime.now(dt.UTC).date()).days
    if not lacks and days > RENEWED_DAYS:
        return
    if not (folder.path / "ca.key").exists() and not lacks and days >= 0:
        return
    what = f"is for {', '.join(found.hosts)}" if lacks else f"ends on {found.until}"
    _certify(folder, [start.name.host, *found.hosts], what)


def _is_whole(folder: FederationFolder) -> bool:
    """Whether certificate and key are there and fit; a cut while they were made leaves others."""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder.certificate, folder.private_key)
    except (FileNotFoundError, ssl.SSLError):
        return False
    return True


def _certify(folder: FederationFolder, hosts: Sequence[str], what: str) -> None:
    """Make the server's certificate anew: its key goes first; what doesn't fit is made again."""
    authority_key = folder.path / "ca.key"
    if not authority_key.exists():
        raise CertificateError(
            f"{folder.certificate} {what}; wanted one for {hosts[0]}: bring ca.key, by "
            f"which it is made, back to {folder.path}"
        )
    authority = Authority.load(
        certificate=folder.authority.read_bytes(), key=authority_key.read_bytes()
    )
    certificate, key = authority.certify_server(tuple(dict.fromkeys(hosts)))
    aside = folder.path / ".certificate-new"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700)
    for path, content in ((folder.private_key, key), (folder.certificate, certificate)):
        write_new(aside / path.name, content)
    for path in (folder.private_key, folder.certificate):
        (aside / path.name).replace(path)
    aside.rmdir()
