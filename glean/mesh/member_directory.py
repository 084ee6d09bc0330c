"""The members of a mesh as its node asks for them: by which key, where, and who knows whom."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from glean.mesh.member_keys import public_key
from glean.mesh.member_view import MeshMember
from glean.mesh.membership_store import MembershipStore
from glean.mesh.peer_card import PeerCard
from glean.mesh.peer_directory import KnownPeer
from glean.privacy.peer_handshake import Mesh

ALL_CONNECTED = 24
"""Up to so many members each connects to each."""

STALE_S = 900.0
"""A peer that said for so long nothing of its neighbours isn't counted on to pass messages on."""


class MemberDirectory:
    """Members and their cards, from memory; a `PeerDirectory`.

    Parameters
    ----------
    store : MembershipStore
        What is known of the mesh.
    name : str
        This peer's own name.
    clock : callable
        The time, s since 1970.
    """

    def __init__(
        self, store: MembershipStore, name: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._store, self._name, self._clock = store, name, clock

    @property
    def mesh(self) -> Mesh:
        """The mesh, named for its id: two of one name are two."""
        membership = self._store.membership
        return Mesh(membership.mesh, membership.rsa_accepted)

    @property
    def name(self) -> str:
        """Name of this peer."""
        return self._name

    def peer(self, name: str) -> KnownPeer | None:
        """Give a member."""
        member = self._store.membership.member(name)
        if member is None:
            return None
        card = self._card(name)
        return KnownPeer(name, public_key(member.key), card.addresses if card else ())

    def neighbours(self, name: str) -> frozenset[str]:
        """Name those whom a member said that it hears; of this peer those whom it should."""
        if name == self._name:
            return wanted_neighbours(self._store.membership.view.members, name)
        card = self._card(name)
        if card is None or self._clock() - card.at > STALE_S:
            return frozenset()
        return frozenset(card.neighbours)

    def names(self) -> list[str]:
        """Name all members but this one."""
        return [name for name in self._store.membership.view.members if name != self._name]

    def _card(self, name: str) -> PeerCard | None:
        member = self._store.membership.member(name)
        return self._store.cards.cards.get(member.entry) if member is not None else None


def wanted_neighbours(members: Mapping[str, MeshMember], own: str) -> frozenset[str]:
    """Choose whom a peer keeps connections to: all, or where they are many some of them.

    These stand 1, 2, 4, ... places from it on a ring in the order of their entries' ids, which
    nobody can choose; both of two name each other. So each is a few steps from each.
    """
    if own not in members:
        return frozenset(members)
    ring = sorted(members, key=lambda name: members[name].entry)
    if len(ring) <= ALL_CONNECTED:
        return frozenset(ring) - {own}
    place, found, step = ring.index(own), set(), 1
    while step < len(ring):
        found |= {ring[(place + step) % len(ring)], ring[(place - step) % len(ring)]}
        step *= 2
    return frozenset(found) - {own}
