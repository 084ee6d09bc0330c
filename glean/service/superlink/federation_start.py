"""A service's federation: its keys and certificates are there, and it says where it is reached."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from glean.errors import CertificateError, SettingsError
from glean.federation_folder import FederationFolder
from glean.privacy.certificate_folder import make_certificates
from glean.privacy.certificates import authority_fingerprint, read_server_certificate
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
            make_certificates(folder.path, hosts=[start.name.host])
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
    fresh = folder.path.with_name(f".{folder.path.name}-new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    for name in (*_TAKEN_OVER, *_OPTIONAL):
        if (source / name).is_file():
            shutil.copy(source / name, fresh / name)
    if folder.path.exists():
        for path in folder.path.iterdir():
            path.replace(fresh / path.name)
        folder.path.rmdir()
    fresh.rename(folder.path)


def _check_certificate(folder: FederationFolder, start: FederationStart) -> None:
    """Make the server's certificate anew where it lacks the name, or ends soon."""
    found = read_server_certificate(folder.certificate.read_bytes())
    lacks = start.roots is None and start.name.host not in found.hosts
    days = (found.until - dt.datetime.now(dt.UTC).date()).days
    if not lacks and days > RENEWED_DAYS:
        return
    if not (folder.path / "ca.key").exists():
        if not lacks and days >= 0:
            return
        what = f"is for {', '.join(found.hosts)}" if lacks else f"ended on {found.until}"
        raise CertificateError(
            f"{folder.certificate} {what}; wanted one for {start.name.host}: bring ca.key, by "
            f"which it is made, back to {folder.path}"
        )
    hosts = dict.fromkeys([start.name.host, *found.hosts])
    for path in (folder.certificate, folder.private_key):
        path.replace(path.with_suffix(path.suffix + ".old"))
    make_certificates(folder.path, hosts=list(hosts))
