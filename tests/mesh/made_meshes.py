"""Meshes made for tests: identities, and entries signed as peers sign them, or as none would."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from glean.mesh.membership import Membership
from glean.mesh.membership_entry import (
    MembershipEntry,
    countersigned,
    found_entry,
    join_request,
    leave_entry,
)
from glean.privacy.peer_identity import PeerIdentity

BEGAN = 1_750_000_000
NAMES = ("Old Market", "Rue Mouffetard", "Bäckerei Süd", "Harbour", "Mill Lane", "Westend")

_MADE: dict[str, PeerIdentity] = {}
"""By their public halves."""


def identity(name: str, kind: str = "ed25519") -> PeerIdentity:
    """The keys of a bakery, the same whenever they are asked for."""
    return _identity(name, kind)


@cache
def _identity(name: str, kind: str) -> PeerIdentity:
    assert name
    made = PeerIdentity.new(kind=kind)
    _MADE[str(made.public)] = made
    return made


def keys_of(known: Membership, name: str) -> PeerIdentity:
    """The keys that a member has."""
    member = known.member(name)
    assert member is not None
    return _MADE[member.key]


def founded(name: str = NAMES[0], *, at: int = BEGAN, rsa: bool = False) -> Membership:
    """A mesh of one."""
    kind = "rsa-2048" if rsa else "ed25519"
    entry = found_entry(identity(name, kind), name, "Test mesh", at=at, rsa_accepted=rsa)
    return Membership.of(entry.id, [entry])


def joined(
    known: Membership,
    inviter: str,
    name: str,
    *,
    at: int,
    invitation: str = "",
    keys: PeerIdentity | None = None,
) -> MembershipEntry:
    """The entry of a bakery that joins, as its inviter makes it."""
    member = known.member(inviter)
    assert member is not None
    keys = keys or identity(name)
    secret = invitation or f"{abs(hash((inviter, name, at))):064x}"[:64]
    request = join_request(known.mesh, name, str(keys.public), secret)
    entry = MembershipEntry(
        "join", known.mesh, name, str(keys.public), member.entry, member.head, at,
        invitation=secret, signature=keys.sign(request).hex(),
    )  # fmt: skip
    return countersigned(entry, keys_of(known, inviter))


def left(known: Membership, name: str, *, at: int) -> MembershipEntry:
    """The entry of a member that leaves."""
    member = known.member(name)
    assert member is not None
    return leave_entry(keys_of(known, name), known.entries[member.entry], member.head, at=at)


def added(known: Membership, *entries: MembershipEntry) -> Membership:
    """What is known once these are, all of which are true."""
    found, refusals = known.offered(entries)
    assert [str(refusal) for refusal in refusals] == []
    return found


def mesh_of(*names: str) -> Membership:
    """A mesh in which the first has invited all others."""
    known = founded(names[0])
    for at, name in enumerate(names[1:], BEGAN + 10):
        known = added(known, joined(known, names[0], name, at=at))
    return known


def faults(known: Membership, entries: Iterable[MembershipEntry], **given: object) -> list[str]:
    """What is wrong with entries, by one who knows others."""
    _, refusals = known.offered(entries, **given)  # type: ignore[arg-type]
    return [refusal.fault for refusal in refusals]


def signed_by(entry: MembershipEntry, own: PeerIdentity, author: PeerIdentity) -> MembershipEntry:
    """The same content, with signatures by these keys."""
    signature = own.sign(entry.request).hex()
    counter = author.sign(entry.statement).hex() if entry.kind == "join" else ""
    return replace(entry, signature=signature, countersignature=counter)
