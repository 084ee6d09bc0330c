"""Members of a federation: each bakery's keys, and the list of public ones that all of them hold.

A bakery proves by its node key to the server who it is, and by its signing key to the others.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from glean.errors import CertificateError

_LONGEST_NAME = 80
_FORMAT = 1


@dataclass(frozen=True)
class Member:
    """What the others know of a bakery.

    Parameters
    ----------
    bakery : str
        Its name in the federation.
    signing_key, node_key : str
        Its public keys, each as one line of OpenSSH: Ed25519, and ECDSA on P-256
        (earlier ones on P-384). The second is "" on a mesh, where no server lets anybody in.
    logged : int
        Number of the entry in the log of keys that has these keys; 0 without such a log.
    log_head : str
        Head of that log with this entry, hexadecimal; "" without.
    """

    bakery: str
    signing_key: str
    node_key: str = ""
    logged: int = 0
    log_head: str = ""

    @property
    def keys(self) -> tuple[str, str]:
        """Its public keys."""
        return self.signing_key, self.node_key


@dataclass(frozen=True)
class BakeryKeys:
    """All that a bakery gets; the two private keys are for it alone.

    Parameters
    ----------
    member : Member
        The public part.
    signing_key : bytes
        Private Ed25519 key, PEM.
    node_key : bytes
        Private ECDSA key on P-256 in OpenSSH's form, as Flower wants it: each of a node's many
        requests is signed, and checked seven times as fast as on P-384.
    """

    member: Member
    signing_key: bytes
    node_key: bytes


def new_keys(bakery: str) -> BakeryKeys:
    """Make the keys of a bakery."""
    node = ec.generate_private_key(ec.SECP256R1())
    signing = ed25519.Ed25519PrivateKey.generate()
    return BakeryKeys(
        Member(bakery, _public_line(signing.public_key()), _public_line(node.public_key())),
        signing.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        node.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
    )


def folder_name(bakery: str) -> str:
    """Give a bakery's name as that of a folder: its letters and digits, joined by hyphens.

    Raises
    ------
    CertificateError
        The name is too long, has none of either, parts of a path, or what Flower's node config
        can't hold.
    """
    safe = re.sub(r"[^\w.]+", "-", unicodedata.normalize("NFC", bakery)).strip("-._")
    if (
        not safe
        or bakery != bakery.strip()
        or len(bakery) > _LONGEST_NAME
        or not bakery.isprintable()
        or re.search(r'["\\/]', bakery)
    ):
        raise CertificateError(
            f"bakery: found {bakery!r}; wanted a name of at most {_LONGEST_NAME} characters with "
            'letters or digits, no space at its ends, no ", no slash and no backslash'
        )
    return safe


def folder_names(bakeries: Sequence[str]) -> dict[str, str]:
    """Give each bakery's folder name.

    Raises
    ------
    CertificateError
        A name can't be used, is given twice, or is too like another one.
    """
    taken: dict[str, str] = {}
    for bakery in bakeries:
        name = folder_name(bakery).casefold()
        if taken.get(name) == bakery:
            raise CertificateError(f"bakery: found {bakery!r} twice; wanted each name once")
        if name in taken:
            raise CertificateError(
                f"bakery: found {bakery!r} and {taken[name]!r}, which would share a folder; "
                "wanted names that differ in their letters or digits"
            )
        taken[name] = bakery
    return {bakery: folder_name(bakery) for bakery in bakeries}


def write_members(members: Iterable[Member]) -> bytes:
    """Write the list of members, in order of their names."""
    listed = [_written(member) for member in sorted(members, key=lambda member: member.bakery)]
    content = {"format": _FORMAT, "members": listed}
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def read_members(content: bytes, source: str = "members.json") -> tuple[Member, ...]:
    """Read a list of members.

    Parameters
    ----------
    content : bytes
        As `write_members` wrote it.
    source : str
        Where it is from, for messages.

    Raises
    ------
    CertificateError
        It isn't one.
    """
    try:
        found = json.loads(content)
        if found["format"] != _FORMAT:
            raise CertificateError(f"{source}: found format {found['format']!r}; wanted {_FORMAT}")
        members = tuple(Member(**member) for member in found["members"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        what = f"found no {error}" if isinstance(error, KeyError) else f"{error!r:.200}"
        raise CertificateError(
            f"{source} isn't a list of members: {what}; wanted the file as `glean certificates` "
            "wrote it"
        ) from error
    for member in members:
        known = {"logged": int}
        wrong = [
            value
            for name, value in asdict(member).items()
            if type(value) is not known.get(name, str)
        ]
        if wrong:
            raise CertificateError(
                f"{source}: found {wrong[0]!r:.80} for a member's name or key; wanted text in "
                "quotes, as `glean certificates` wrote it: take the operator's file again"
            )
    if len({member.bakery for member in members}) < len(members):
        raise CertificateError(f"{source}: found a name twice; wanted each member once")
    return members


def _written(member: Member) -> dict[str, str | int]:
    """Leave out what a list without a log of keys doesn't have."""
    return {name: value for name, value in asdict(member).items() if value or name == "bakery"}


def _public_line(key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
