"""What a peer knows of its mesh, kept in its home: entries, cards, and what it signs itself.

Threads of one process share a store; processes share its files, of which each write is a merge.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from glean.mesh.member_view import MeshMember, RefusedEntry
from glean.mesh.membership import CLOCK_ERROR_S, Membership
from glean.mesh.membership_entry import (
    MembershipEntry,
    MembershipError,
    countersigned,
    leave_entry,
)
from glean.mesh.membership_files import (
    locked,
    read_cards,
    read_membership,
    stamp_of,
    write_entries,
)
from glean.mesh.mesh_home import MeshHome, write_json
from glean.mesh.peer_card import PeerCard, PeerCards
from glean.privacy.peer_identity import PeerIdentity

MOST_REFUSALS = 100
"""That many of the last ones are kept to be shown."""


class MembershipStore:
    """Membership and cards of one peer.

    Parameters
    ----------
    home : MeshHome
        Where they are kept.
    mesh, entry : str
        Ids of the mesh, and of the entry by which the peer belongs to it.
    signer : PeerIdentity
        Its private keys.
    clock : callable
        The time, s since 1970.

    Raises
    ------
    MembershipError
        What is kept can't be read.
    """

    def __init__(
        self,
        home: MeshHome,
        mesh: str,
        entry: str,
        signer: PeerIdentity,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._home, self._entry, self._signer, self._clock = home, entry, signer, clock
        self._lock = threading.RLock()
        self._membership = Membership(mesh)
        self._cards = PeerCards({})
        self._refused: list[str] = []
        self._stamp: tuple[int, int] | None = None
        self.refresh()
        self._cards = PeerCards({card.entry: card for card in read_cards(home)})

    @property
    def membership(self) -> Membership:
        """What is known of the members, at once: others' entries may take long to check."""
        return self._membership

    @property
    def cards(self) -> PeerCards:
        """What is known of where they are, likewise at once."""
        return self._cards

    def member_cards(self) -> tuple[PeerCard, ...]:
        """Give the newest card of each peer that belongs to the mesh."""
        members = {member.entry for member in self.membership.view.members.values()}
        return tuple(card for key, card in self.cards.cards.items() if key in members)

    @property
    def refused(self) -> tuple[str, ...]:
        """The last entries and cards that weren't taken, in sentences, the newest last."""
        told = [one.text for one in self.membership.view.refused]
        return tuple(dict.fromkeys([*told, *self._refused]))

    @property
    def own(self) -> MeshMember | None:
        """Give this peer as a member; None once it has left, or where it never counted."""
        members = self.membership.view.members.values()
        return next((one for one in members if one.entry == self._entry), None)

    def refresh(self) -> bool:
        """Take in what another process has written; whether there was something."""
        with self._lock:
            stamp = stamp_of(self._home.membership)
            if stamp is None or stamp == self._stamp:
                return False
            before = self._membership
            self._membership = before.merged(read_membership(self._home, before.mesh))
            self._stamp = stamp
            return self._membership.entries != before.entries

    def offer(self, entries: Iterable[MembershipEntry]) -> list[RefusedEntry]:
        """Take entries that are true; give those that aren't, with the reason."""
        with self._lock:
            own = self.own
            cards = self._cards.cards
            if own is not None and self._own_card(own) is None:
                cards = {key: card for key, card in cards.items() if key != own.entry}
            found, refusals = self._membership.offered(
                entries, now=self._clock(), heads=PeerCards(cards).heads()
            )
            self._refuse(str(refusal) for refusal in refusals)
            self._keep(found)
            return [refusal.refused for refusal in refusals]

    def offer_cards(self, cards: Iterable[PeerCard]) -> bool:
        """Take cards that are newer; whether there were some."""
        with self._lock:
            found, refusals = self._cards.offered(self._membership, cards, now=self._clock())
            self._refuse(refusals)
            changed = found.cards != self._cards.cards
            self._cards = found
            return changed

    def countersign(self, name: str, key: str, invitation: str, signature: str) -> MembershipEntry:
        """Make the entry of a bakery that shows an invitation; it counts once it is offered.

        Raises
        ------
        MembershipError
            This peer is no member.
        """
        with self._lock:
            own = self._member()
            entry = MembershipEntry(
                "join",
                self._membership.mesh,
                name,
                key,
                own.entry,
                own.head,
                max(self._now(own), self._free_from(name, key)),
                invitation=invitation,
                signature=signature,
            )
            return countersigned(entry, self._signer)

    def leave(self) -> MembershipEntry:
        """Leave the mesh; who has left already gets the entry that says so.

        Raises
        ------
        MembershipError
            This peer never was a member.
        """
        with self._lock:
            had = next(
                (one for one in self._membership.view.left if one.entry == self._entry), None
            )
            if had is not None:
                return self._membership.entries[had.head]
            own = self._member()
            joined = self._membership.entries[own.entry]
            entry = leave_entry(self._signer, joined, own.head, at=self._now(own))
            self._keep(self._membership.merged(Membership(joined.mesh_id, {entry.id: entry})))
            return entry

    def sign_card(
        self,
        *,
        addresses: Iterable[str],
        neighbours: Iterable[str],
        relayed: Iterable[tuple[str, str]] = (),
    ) -> PeerCard | None:
        """Sign where this peer is and whom it hears; None where it is no member any more."""
        with self._lock:
            own = self.own
            if own is None:
                return None
            known = self._own_card(own)
            at_ms = max(
                int(self._clock() * 1000),
                1000 * self._membership.entries[own.head].at,
                known.at_ms + 1 if known is not None else 0,
            )
            card = PeerCard(
                self._membership.mesh,
                own.entry,
                at_ms,
                own.head,
                tuple(addresses),
                tuple(sorted(neighbours)),
                tuple(sorted(relayed)),
            ).signed(self._signer)
            others = {k: one for k, one in self._cards.cards.items() if k != own.entry}
            self._cards = PeerCards({**others, own.entry: card})
            return card

    def save_cards(self) -> None:
        """Keep the cards for the next start."""
        cards = [card.content() for card in self.cards.cards.values()]
        write_json(self._home.cards, {"cards": cards}, lasting=False)

    def _own_card(self, own: MeshMember) -> PeerCard | None:
        """Give the card that it has signed last; None where its clock was wrong then.

        Nobody takes one that is so far ahead, and those that are signed now mustn't be either.
        """
        card = self._cards.cards.get(own.entry)
        return card if card is None or card.at <= self._clock() + CLOCK_ERROR_S else None

    def _member(self) -> MeshMember:
        own = self.own
        if own is None:
            raise MembershipError(
                f"{self._home.path}: this bakery doesn't belong to the mesh any more; wanted a "
                "member. To come back: a new invitation, `glean mesh join LINK --home FOLDER`"
            )
        return own

    def _free_from(self, name: str, key: str) -> int:
        """Give the first second after the last one that had this name or key has left.

        Of one second the order of two entries is by chance, and the name might count as taken.
        """
        had = [one for one in self._membership.view.left if one.key == key or one.is_called(name)]
        return max((1 + (one.left_at or 0) for one in had), default=0)

    def _now(self, own: MeshMember) -> int:
        """Give a time that nothing which this peer signed before is later than."""
        card = self._own_card(own)
        signed = int(card.at) + 1 if card is not None and card.head == own.head else 0
        head = self._membership.entries[own.head].at
        return max(int(self._clock()), head, min(signed, int(self._clock()) + 1))

    def _keep(self, found: Membership) -> None:
        if found.entries == self._membership.entries:
            return
        with locked(self._home.membership):
            if self._home.membership.exists():
                found = found.merged(read_membership(self._home, found.mesh))
            write_entries(self._home, found)
            self._stamp = stamp_of(self._home.membership)
        self._membership = found

    def _refuse(self, texts: Iterable[str]) -> None:
        fresh = [text for text in texts if text not in self._refused]
        self._refused = [*self._refused, *fresh][-MOST_REFUSALS:]
