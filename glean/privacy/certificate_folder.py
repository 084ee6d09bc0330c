"""The operator's folder of certificates and keys: made once, later added to, never overwritten.

The server's own files lie at its top; each bakery's folder below `bakeries/` is what it gets.
"""

from __future__ import annotations

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
from glean.privacy.key_files import CLOSED_FOLDER, write_new
from glean.privacy.members import (
    BakeryKeys,
    Member,
    folder_name,
    folder_names,
    new_keys,
    read_members,
    write_members,
)
from glean.privacy.model_key import PRIVATE_FILE as MODEL_KEY
from glean.privacy.model_key import new_model_key
from glean.runs.model_card import KEY_FILE


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
    own_keys : frozenset of str
        Those of them that made their keys themselves.
    model_key : bool
        Whether the server has a key for models only since then.
    """

    folder: Path
    new: bool
    certified: bool
    server: ServerCertificate | None
    bakeries: dict[str, Path]
    own_keys: frozenset[str] = frozenset()
    model_key: bool = False


def make_certificates(
    folder: Path,
    *,
    hosts: Sequence[str],
    bakeries: Sequence[str] = (),
    members: Sequence[Member] = (),
) -> CreatedFiles:
    """Make a federation's certificates, and take up bakeries, now or later.

    Parameters
    ----------
    folder : Path
        Where they go. One that holds a federation keeps its authority and its members.
    hosts : sequence of str
        Names and addresses by which bakeries reach the server; needed for a new folder.
    bakeries : sequence of str
        Names of new bakeries for which keys are made here, as in a rehearsal on one machine.
    members : sequence of Member
        Public halves of new bakeries that made their keys themselves.

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
        return _make(folder, tuple(dict.fromkeys(hosts)), bakeries, members)
    except OSError as error:
        raise CertificateError(
            f"{folder} can't be used for certificates: {error.strerror or error} "
            f"({error.filename}); wanted a folder that you may write to"
        ) from error


def _make(
    folder: Path, hosts: tuple[str, ...], bakeries: Sequence[str], own: Sequence[Member]
) -> CreatedFiles:
    before = _members(folder)
    members = before or ()
    joining = [*bakeries, *(member.bakery for member in own)]
    others = [member.bakery for member in members if member.bakery not in joining]
    names = folder_names([*others, *joining])
    homes = {bakery: folder / "bakeries" / names[bakery] for bakery in joining}
    for host in hosts:
        general_name(host)
    _refuse_what_is_there(folder, before, hosts, homes)
    if before is None and not hosts:
        raise CertificateError(
            f"{folder} holds no federation yet; wanted the server's name or address by --host"
        )
    signs = (folder / KEY_FILE).exists()
    if not hosts and not joining and signs:
        raise CertificateError(f"{folder} is complete; wanted a new bakery by --member or --bakery")
    _server_files(folder, hosts, new=before is None)
    if not signs:
        _model_key(folder, [_home(folder, member.bakery) for member in members])
    keys: list[BakeryKeys | Member] = [*map(new_keys, bakeries), *own]
    listed = write_members([*members, *map(_public, keys)])
    for key in keys:
        _bakery_files(homes[_public(key).bakery], key, operator=folder, listed=listed)
    if before is None or keys:
        _replace(folder / "members.json", listed)
    for copy in (_home(folder, member.bakery) / "members.json" for member in members):
        if keys and copy.exists():
            _replace(copy, listed)
    made = frozenset(member.bakery for member in own)
    server = _server(folder)
    return CreatedFiles(folder, before is None, bool(hosts), server, homes, made, not signs)


def _public(keys: BakeryKeys | Member) -> Member:
    return keys.member if isinstance(keys, BakeryKeys) else keys


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
        wanted += [folder / "ca.crt", folder / "ca.key", folder / KEY_FILE]
    if not (folder / KEY_FILE).exists():
        wanted += [folder / MODEL_KEY]
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
        folder.mkdir(mode=CLOSED_FOLDER, parents=True, exist_ok=True)
        write_new(folder / "ca.key", authority.key_pem)
        write_new(folder / "ca.crt", authority.certificate_pem)
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
    write_new(folder / "server.key", key)
    write_new(folder / "server.pem", certificate)


def _model_key(folder: Path, homes: Iterable[Path]) -> None:
    """Make the server's key for models; the public half goes to the bakeries that are there."""
    private, public = new_model_key()
    write_new(folder / MODEL_KEY, private)
    line = f"{public.line}\n".encode()
    for home in homes:
        if home.is_dir():
            _replace(home / KEY_FILE, line)
    write_new(folder / KEY_FILE, line)


def _bakery_files(home: Path, keys: BakeryKeys | Member, *, operator: Path, listed: bytes) -> None:
    """Write a bakery's folder so that it is there whole or not at all."""
    home.parent.mkdir(mode=CLOSED_FOLDER, exist_ok=True)
    fresh = home.with_name(f".{home.name}-{secrets.token_hex(4)}")
    try:
        fresh.mkdir(mode=CLOSED_FOLDER)
        write_new(fresh / "node-key.pub", f"{_public(keys).node_key}\n".encode())
        if isinstance(keys, BakeryKeys):
            write_new(fresh / "node-key", keys.node_key)
            write_new(fresh / "signing-key", keys.signing_key)
        for name in ("ca.crt", KEY_FILE):
            write_new(fresh / name, (operator / name).read_bytes())
        write_new(fresh / "members.json", listed)
        fresh.rename(home)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        write_new(fresh, content)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
