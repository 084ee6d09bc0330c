"""A bakery's own keys, made where they stay: only their public halves go to the operator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from glean.errors import CertificateError
from glean.privacy.key_files import CLOSED_FOLDER, write_new
from glean.privacy.members import Member, folder_name, new_keys, read_members, write_members
from glean.privacy.signing import fingerprint
from glean.regular_files import read_regular

PUBLIC_FILE = "member.json"
"""The public halves, for the operator: a list of one member."""

_FILES = ("node-key", "node-key.pub", "signing-key", PUBLIC_FILE)


@dataclass(frozen=True)
class OwnKeys:
    """What was made at a bakery.

    Parameters
    ----------
    folder : Path
        Where the keys are, absolute.
    member : Member
        Their public halves.
    """

    folder: Path
    member: Member

    @property
    def fingerprint(self) -> str:
        """What others compare with their list, over the telephone say: of the signing key."""
        return fingerprint(self.member.signing_key)


def make_own_keys(folder: Path, bakery: str) -> OwnKeys:
    """Make a bakery's node key and signing key.

    Parameters
    ----------
    folder : Path
        Where they go; may be there already.
    bakery : str
        The bakery's name in the federation.

    Raises
    ------
    CertificateError
        The name can't be used, a key is there already, or the folder can't be written.
    """
    folder_name(bakery)
    folder = folder.absolute()
    there = [name for name in _FILES if (folder / name).exists() or (folder / name).is_symlink()]
    if there:
        raise CertificateError(
            f"{folder}: found {', '.join(there)}; nothing is overwritten: wanted a folder without "
            "keys, or move them away"
        )
    keys = new_keys(bakery)
    contents = (
        keys.node_key,
        f"{keys.member.node_key}\n".encode(),
        keys.signing_key,
        write_members([keys.member]),
    )
    try:
        folder.mkdir(mode=CLOSED_FOLDER, parents=True, exist_ok=True)
        for name, content in zip(_FILES, contents, strict=True):
            write_new(folder / name, content)
    except OSError as error:
        raise CertificateError(
            f"{folder} can't be used for keys: {error.strerror or error}; wanted a folder that you "
            "may write to"
        ) from error
    return OwnKeys(folder, keys.member)


def read_public_halves(path: Path) -> Member:
    """Read what a bakery sent to the operator.

    Raises
    ------
    CertificateError
        It isn't one member with keys of the right kinds.
    """
    try:
        members = read_members(read_regular(path), str(path))
    except OSError as error:
        raise CertificateError(f"{path} can't be read: {error.strerror or error}") from error
    if len(members) != 1:
        raise CertificateError(f"{path}: found {len(members)} members; wanted one")
    (member,) = members
    kinds = {"signing_key": ed25519.Ed25519PublicKey, "node_key": ec.EllipticCurvePublicKey}
    for name, kind in kinds.items():
        if not isinstance(_public_key(getattr(member, name)), kind):
            raise CertificateError(
                f"{path}: {name} of {member.bakery!r} isn't a public key of its kind; wanted the "
                "file as `glean certificates --own` made it"
            )
    return member


def members_in(folder: Path) -> tuple[Member, ...]:
    """Read the list of members that a bakery was given.

    Raises
    ------
    CertificateError
        There is none, or it can't be read.
    """
    path = folder / "members.json"
    try:
        return read_members(read_regular(path), str(path))
    except OSError as error:
        raise CertificateError(
            f"{path} can't be read: {error.strerror or error}; wanted the list of members that "
            "the operator sent"
        ) from error


def _public_key(line: object) -> object:
    try:
        return load_ssh_public_key(str(line).encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
