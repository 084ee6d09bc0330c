"""One entry of a mesh's membership: somebody founded it, joined it or left it, and signed that.

Texts from other peers come in, frozen entries of which every field was looked at go out. Whether an
entry is true, `glean.mesh.membership` decides, which knows the others.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal, get_args

from glean.errors import CertificateError, FederationError
from glean.privacy.members import folder_name
from glean.privacy.peer_identity import PeerIdentity, PeerKey

EntryKind = Literal["found", "join", "leave"]

KINDS_OF_KEYS = ("ed25519", "ed25519 rsa")
"""Which signing keys members of a mesh may have."""

LONGEST_ENTRY = 8_000
"""Characters of JSON; an entry with RSA keys and the longest names has under 4,000."""

_DOMAIN = b"glean: membership of a mesh 1\n"
_REQUEST_DOMAIN = b"glean: a bakery asks to join a mesh 1\n"
_ID_DIGITS = 64
_LATEST = 2**40


class MembershipError(FederationError):
    """An entry of a mesh's membership can't be read, made or taken."""


@dataclass(frozen=True)
class MembershipEntry:
    """Somebody founds a mesh, joins it or leaves it.

    Parameters
    ----------
    kind : {"found", "join", "leave"}
        What happens.
    mesh : str
        Id of the mesh, 64 hexadecimal digits; "" in the entry that founds it, whose own id it is.
    name, key : str
        Whom it is about: the bakery's name and its public keys (`PeerKey` as text).
    author : str
        Id of the entry by which the author belongs to the mesh: of who countersigns, or of who
        leaves. "" in the entry that founds it.
    previous : str
        Id of the last entry that the same author made, or of `author` itself: so an author can't
        put anything before what it has signed already.
    at : int
        When, s since 1970 (UTC), by the author's clock.
    invitation : str
        Of a join: SHA-256 of the invitation's secret.
    title, keys : str
        Of the entry that founds a mesh: what the mesh is called, and one of `KINDS_OF_KEYS`.
    signature : str
        By `key`, hexadecimal. Of a join it covers what the bakery asks for (`join_request`), else
        the whole entry.
    countersignature : str
        Of a join: by the author's key, over the whole entry.
    """

    kind: EntryKind
    mesh: str
    name: str
    key: str
    author: str
    previous: str
    at: int
    invitation: str = ""
    title: str = ""
    keys: str = ""
    signature: str = ""
    countersignature: str = ""

    @cached_property
    def statement(self) -> bytes:
        """What is signed: all but the signatures."""
        content = asdict(self)
        del content["signature"], content["countersignature"]
        return _DOMAIN + canonical(content)

    @cached_property
    def id(self) -> str:
        """SHA-256 of the statement: the same content is the same entry, whoever signed it."""
        return hashlib.sha256(self.statement).hexdigest()

    @property
    def mesh_id(self) -> str:
        """Of which mesh it is."""
        return self.id if self.kind == "found" else self.mesh

    @property
    def request(self) -> bytes:
        """What `signature` covers."""
        if self.kind != "join":
            return self.statement
        return join_request(self.mesh, self.name, self.key, self.invitation)

    def content(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return asdict(self)


def canonical(content: Any) -> bytes:
    """Write JSON in the one way that signatures are made over."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def join_request(mesh: str, name: str, key: str, invitation: str) -> bytes:
    """Give what a bakery signs that asks to join: to be let in once, there, under that name."""
    asked = {"mesh": mesh, "name": name, "key": key, "invitation": invitation}
    return _REQUEST_DOMAIN + canonical(asked)


def found_entry(
    signer: PeerIdentity, name: str, title: str, *, at: int, rsa_accepted: bool = False
) -> MembershipEntry:
    """Found a mesh.

    Raises
    ------
    CertificateError
        The name can't be used, or the key isn't of a kind that is accepted.
    MembershipError
        The title is too long, or has what can't be printed.
    """
    folder_name(name)
    check_title(title)
    key = str(signer.public)
    PeerKey.of(key, rsa_accepted=rsa_accepted)
    keys = KINDS_OF_KEYS[rsa_accepted]
    entry = MembershipEntry("found", "", name, key, "", "", at, title=title, keys=keys)
    return replace(entry, signature=signer.sign(entry.request).hex())


def countersigned(entry: MembershipEntry, signer: PeerIdentity) -> MembershipEntry:
    """Countersign a join."""
    return replace(entry, countersignature=signer.sign(entry.statement).hex())


def leave_entry(
    signer: PeerIdentity, joined: MembershipEntry, previous: str, *, at: int
) -> MembershipEntry:
    """Leave the mesh that one joined by an entry."""
    entry = MembershipEntry(
        "leave", joined.mesh_id, joined.name, joined.key, joined.id, previous, at
    )
    return replace(entry, signature=signer.sign(entry.request).hex())


def read_entry(content: Any) -> MembershipEntry:
    """Read an entry as another peer sent it; of each field only what it can have.

    Raises
    ------
    MembershipError
        It isn't one.
    """
    names = {field.name for field in fields(MembershipEntry)}
    if not isinstance(content, dict) or set(content) != names:
        raise MembershipError(
            f"membership: found {content!r:.80}; wanted an entry with {sorted(names)}"
        )
    for name, value in content.items():
        kind = int if name == "at" else str
        if type(value) is not kind:
            raise _wrong(name, value, f"a {kind.__name__}")
        if not str(value).isprintable():
            raise _wrong(name, value, "what can be printed")
    if len(canonical(content)) > LONGEST_ENTRY:
        raise MembershipError(f"membership: found an entry of more than {LONGEST_ENTRY} bytes")
    entry = MembershipEntry(**content)
    _check(entry)
    return entry


def check_title(title: str) -> None:
    """Refuse what a mesh can't be called.

    Raises
    ------
    MembershipError
        It is empty, too long, or has what can't be printed.
    """
    if not title.strip() or title != title.strip() or len(title) > 80 or not title.isprintable():
        raise MembershipError(
            f"mesh: found the name {title!r:.100}; wanted 1 to 80 characters that can be printed, "
            "no space at its ends"
        )


def _check(entry: MembershipEntry) -> None:
    if entry.kind not in get_args(EntryKind):
        raise _wrong("kind", entry.kind, f"one of {', '.join(get_args(EntryKind))}")
    if not 0 <= entry.at < _LATEST:
        raise _wrong("at", entry.at, "seconds since 1970")
    try:
        folder_name(entry.name)
    except CertificateError as error:
        raise MembershipError(f"membership: {error}") from error
    founds, joins = entry.kind == "found", entry.kind == "join"
    if founds:
        check_title(entry.title)
    elif entry.title:
        raise _wrong("title", entry.title, "none")
    if entry.keys not in (KINDS_OF_KEYS if founds else ("",)):
        raise _wrong("keys", entry.keys, f"one of {KINDS_OF_KEYS}" if founds else "none")
    for name, wanted in (
        ("mesh", not founds), ("author", not founds), ("previous", not founds),
        ("invitation", joins),
    ):  # fmt: skip
        _check_digits(name, getattr(entry, name), _ID_DIGITS if wanted else 0)
    _check_digits("signature", entry.signature, None)
    _check_digits("countersignature", entry.countersignature, None if joins else 0)


def _check_digits(name: str, value: str, count: int | None) -> None:
    right = count is None or len(value) == count
    if not right or set(value) - set("0123456789abcdef") or (count is None and not value):
        wanted = "hexadecimal digits" if count is None else f"{count} hexadecimal digits"
        raise _wrong(name, value, wanted)


def _wrong(name: str, value: object, wanted: str) -> MembershipError:
    return MembershipError(f"membership: {name}: found {value!r:.80}; wanted {wanted}")
