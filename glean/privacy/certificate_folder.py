"""The operator's folder of certificates and keys: made once, later added to, never overwritten.

The server's own files lie at its top; each bakery's folder below `bakeries/` is what it gets.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from glean.errors import CertificateError
from glean.privacy.certificates import (
    Authority,
    ServerCertificate,
    general_name,
    read_server_certificate,
)
from glean.privacy.members import (
    BakeryKeys,
    Member,
    folder_name,
    folder_names,
    new_keys,
    read_members,
    write_members,
)

_FOR_ITS_OWNER, _FOR_ALL, _CLOSED_FOLDER = 0o600, 0o644, 0o700
_PRIVATE = {"ca.key", "server.key", "node-key", "signing-key"}


@dataclass(frozen=True)
class CreatedFiles:
    """What a call of `make_certificates` added.

    Parameters
    ----------
    folder : Path
        The operator's folder, absolute.
    new : bool
        Whether it holds a federation only since then.
    certified : bool
        Whether the server has a new certificate.
    server : ServerCertificate or None
        The server's certificate, new or not; None when it isn't kept there any more.
    bakeries : dict of str to Path
        New bakeries and their folders.
    """

    folder: Path
    new: bool
    certified: bool
    server: ServerCertificate | None
    bakeries: dict[str, Path]


def make_certificates(
    folder: Path, *, hosts: Sequence[str], bakeries: Sequence[str]
) -> CreatedFiles:
    """Make a federation's certificates and keys, or those of bakeries that join it later.

    Parameters
    ----------
    folder : Path
        Where they go. One that holds a federation keeps its authority and its members.
    hosts : sequence of str
        Names and addresses by which bakeries reach the server; needed for a new folder.
    bakeries : sequence of str
        New bakeries' names.

    Returns
    -------
    CreatedFiles
        What was added.

    Raises
    ------
    CertificateError
        A host or a name can't be used, something would be overwritten, or the folder can't be
        written. Nothing is written then, unless the disk failed halfway.
    """
    folder = folder.absolute()
    try:
        return _make(folder, tuple(dict.fromkeys(hosts)), bakeries)
    except OSError as error:
        raise CertificateError(
            f"{folder} can't be used for certificates: {error.strerror or error} "
            f"({error.filename}); wanted a folder that you may write to"
        ) from error


def _make(folder: Path, hosts: tuple[str, ...], bakeries: Sequence[str]) -> CreatedFiles:
    before = _members(folder)
    members = before or ()
    others = [member.bakery for member in members if member.bakery not in bakeries]
    names = folder_names([*others, *bakeries])
    homes = {bakery: folder / "bakeries" / names[bakery] for bakery in bakeries}
    for host in hosts:
        general_name(host)
    _refuse_what_is_there(folder, before, hosts, homes)
    if before is None and not hosts:
        raise CertificateError(
            f"{folder} holds no federation yet; wanted the server's name or address by --host"
        )
    if not hosts and not bakeries:
        raise CertificateError(f"{folder} is complete; wanted a new bakery's name by --bakery")
    _server_files(folder, hosts, new=before is None)
    keys = {home: new_keys(name) for name, home in homes.items()}
    listed = write_members([*members, *(bakery.member for bakery in keys.values())])
    for home, bakery in keys.items():
        _bakery_files(home, bakery, authority=(folder / "ca.crt").read_bytes(), listed=listed)
    if before is None or keys:
        _replace(folder / "members.json", listed)
    for copy in (_home(folder, member.bakery) / "members.json" for member in members):
        if keys and copy.exists():
            _replace(copy, listed)
    return CreatedFiles(folder, before is None, bool(hosts), _server(folder), homes)


def _server(folder: Path) -> ServerCertificate | None:
    path = folder / "server.pem"
    return read_server_certificate(path.read_bytes()) if path.exists() else None


def _members(folder: Path) -> tuple[Member, ...] | None:
    """Members of the federation that a folder holds; None where it holds none."""
    path = folder / "members.json"
    return read_members(path.read_bytes()) if path.exists() else None


def _home(folder: Path, bakery: str) -> Path:
    return folder / "bakeries" / folder_name(bakery)


def _refuse_what_is_there(
    folder: Path,
    members: tuple[Member, ...] | None,
    hosts: Iterable[str],
    homes: Mapping[str, Path],
) -> None:
    known = {member.bakery for member in members or ()}
    there = [f"{name!r} is a member already" for name in homes if name in known]
    wanted = [folder / "server.pem", folder / "server.key"] if hosts else []
    if members is None:
        wanted += [folder / "ca.crt", folder / "ca.key"]
    wanted += [home for name, home in homes.items() if name not in known]
    there += [f"{path} is there already" for path in wanted if path.is_symlink() or path.exists()]
    if there:
        raise CertificateError(
            "; ".join(there) + ". Nothing is overwritten: leave out what is there, or move it away"
        )


def _server_files(folder: Path, hosts: tuple[str, ...], *, new: bool) -> None:
    if not hosts:
        return
    if new:
        authority = Authority.create()
        folder.mkdir(mode=_CLOSED_FOLDER, parents=True, exist_ok=True)
        _write(folder / "ca.key", authority.key_pem)
        _write(folder / "ca.crt", authority.certificate_pem)
    elif not (folder / "ca.key").exists():
        raise CertificateError(
            f"{folder} has no ca.key; wanted the one that ca.crt was made with, to certify a "
            "server: bring it back for this command"
        )
    else:
        authority = Authority.load(
            certificate=(folder / "ca.crt").read_bytes(), key=(folder / "ca.key").read_bytes()
        )
    certificate, key = authority.certify_server(hosts)
    _write(folder / "server.key", key)
    _write(folder / "server.pem", certificate)


def _bakery_files(home: Path, keys: BakeryKeys, *, authority: bytes, listed: bytes) -> None:
    """Write a bakery's folder so that it is there whole or not at all."""
    home.parent.mkdir(mode=_CLOSED_FOLDER, exist_ok=True)
    fresh = home.with_name(f".{home.name}-{secrets.token_hex(4)}")
    try:
        fresh.mkdir(mode=_CLOSED_FOLDER)
        _write(fresh / "node-key", keys.node_key)
        _write(fresh / "node-key.pub", f"{keys.member.node_key}\n".encode())
        _write(fresh / "signing-key", keys.signing_key)
        _write(fresh / "ca.crt", authority)
        _write(fresh / "members.json", listed)
        fresh.rename(home)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        _write(fresh, content)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def _write(path: Path, content: bytes) -> None:
    """Write a new file; a private key is never readable for others, not even for a moment."""
    mode = _FOR_ITS_OWNER if path.name in _PRIVATE else _FOR_ALL
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
