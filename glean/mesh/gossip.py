"""Peers tell each other what they know of the mesh, until all know the same (anti-entropy).

A peer sends its neighbours a summary now and then; who knows more sends that, and asks for what it
lacks itself. Messages may be lost, doubled and reordered: the next summary mends it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from glean.mesh.entry_order import in_order
from glean.mesh.membership import MOST_ENTRIES
from glean.mesh.membership_entry import MembershipEntry, MembershipError
from glean.mesh.membership_files import read_entries
from glean.mesh.membership_store import MembershipStore
from glean.mesh.peer_card import PeerCard, read_card

SUMMARY, NEWS = "membership-summary", "membership-news"

LOG = logging.getLogger(__name__)

MOST_AT_ONCE = 50
"""Entries or cards in a message; of the largest about 200 kB."""

FANOUT = 4
"""Neighbours that are told at a time, drawn anew each time."""

_LAST_TURN = 2
"""A summary is answered by one, and that once more: those who never agree talk no longer."""

_MOST_PIECES = 16
"""Of an answer: more would find no room in the connection. The next summary asks for the rest."""

_MOST_BYTES = 2**22
"""The longest summary has under two thirds: of as many entries and cards as a mesh may have."""

_MOST_REFUSED = 1_000
_MOST_IDS = 2 * MOST_ENTRIES + _MOST_REFUSED


class Neighbours(Protocol):
    """What carries gossip: messages to neighbours, which may get lost."""

    def send(self, peer: str, kind: str, body: bytes) -> None:
        """Send a message to a neighbour."""

    def neighbours(self) -> Iterable[str]:
        """Names of the peers that are connected directly."""


class Gossip:
    """What one peer tells its neighbours, and takes from them.

    Parameters
    ----------
    store : MembershipStore
        What it knows.
    neighbours : Neighbours
        Whom it tells.
    changed : callable
        Called when it has learned of entries.
    draw : random.Random, optional
        Draws whom it tells.
    """

    def __init__(
        self,
        store: MembershipStore,
        neighbours: Neighbours,
        *,
        changed: Callable[[], None] = lambda: None,
        draw: random.Random | None = None,
    ) -> None:
        self._store, self._neighbours, self._changed = store, neighbours, changed
        self._draw = draw or random.Random()  # noqa: S311 # nosec B311 # no secret follows from it
        self._refused: dict[str, None] = {}  # ids of entries that nobody needs to send again

    def tell(self) -> None:
        """Send some neighbours a summary."""
        found = sorted(self._neighbours.neighbours())
        for peer in self._draw.sample(found, min(FANOUT, len(found))):
            self._send(peer, SUMMARY, self._summary(0, ids=False))

    def take(self, peer: str, kind: str, body: bytes) -> None:
        """Take a message from a neighbour; one that isn't any is logged."""
        try:
            content = _read(body)
            if kind == SUMMARY:
                self._answer(peer, content)
            else:
                self._take(content)
        except MembershipError as error:
            LOG.warning("gossip from %s: %s", peer, error)

    def _summary(self, turn: int, *, ids: bool) -> dict[str, Any]:
        entries = self._store.membership.entries
        return {
            "turn": turn,
            "digest": digest_of(entries),
            "entries": sorted({*entries, *self._refused}) if ids else None,
            "cards": {card.entry: card.at_ms for card in self._store.member_cards()},
        }

    def _answer(self, peer: str, theirs: dict[str, Any]) -> None:
        turn, digest, ids, cards = _checked(theirs)
        own, own_cards = self._store.membership.entries, self._store.member_cards()
        known = {card.entry: card.at_ms for card in own_cards}
        self._send_news(
            peer,
            [] if ids is None else [entry for key, entry in own.items() if key not in ids],
            [card for card in own_cards if card.at_ms > cards.get(card.entry, -1)],
        )
        differs = digest != digest_of(own)
        lacks = differs if ids is None else ids - own.keys() - self._refused.keys()
        behind = any(at > known.get(entry, -1) for entry, at in cards.items())
        if turn < _LAST_TURN and (lacks or behind):
            self._send(peer, SUMMARY, self._summary(turn + 1, ids=differs))

    def _take(self, content: dict[str, Any]) -> None:
        if set(content) != {"entries", "cards"} or not all(
            isinstance(listed, list) and len(listed) <= MOST_AT_ONCE for listed in content.values()
        ):
            raise MembershipError(f"found news that aren't any: {content!r:.80}")
        before = self._store.membership
        entries, wrong = read_entries(content["entries"])
        for text in wrong:
            LOG.warning("gossip: %s", text)
        for refusal in self._store.offer(entries):
            LOG.warning("%s", refusal.text)
            if refusal.fault not in ("unknown author", "ahead of time", "back-dated"):
                self._refused[refusal.entry.id] = None
        while len(self._refused) > _MOST_REFUSED:
            del self._refused[next(iter(self._refused))]
        self._store.offer_cards(map(read_card, content["cards"]))
        if self._store.membership.entries != before.entries:
            self._changed()

    def _send_news(self, peer: str, entries: list[MembershipEntry], cards: list[PeerCard]) -> None:
        most = MOST_AT_ONCE * _MOST_PIECES
        entries, cards = in_order(entries)[:most], cards[:most]
        for at in range(0, max(len(entries), len(cards)), MOST_AT_ONCE):
            news = {
                "entries": [one.content() for one in entries[at : at + MOST_AT_ONCE]],
                "cards": [one.content() for one in cards[at : at + MOST_AT_ONCE]],
            }
            self._send(peer, NEWS, news)

    def _send(self, peer: str, kind: str, content: dict[str, Any]) -> None:
        self._neighbours.send(peer, kind, json.dumps(content, ensure_ascii=False).encode())


def digest_of(entries: Iterable[str]) -> str:
    """Shorten which entries are known to one hash."""
    return hashlib.sha256("\n".join(sorted(entries)).encode()).hexdigest()


def _read(body: bytes) -> dict[str, Any]:
    if len(body) > _MOST_BYTES:
        raise MembershipError(f"found {len(body)} bytes; wanted at most {_MOST_BYTES}")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MembershipError(f"found what is no JSON: {error!r:.80}") from error
    if not isinstance(content, dict):
        raise MembershipError(f"found {content!r:.80}; wanted an object")
    return content


def _checked(theirs: dict[str, Any]) -> tuple[int, str, set[str] | None, dict[str, int]]:
    turn, digest, ids, cards = (theirs.get(name) for name in ("turn", "digest", "entries", "cards"))
    listed = [] if ids is None else ids
    if (
        type(turn) is not int
        or not isinstance(digest, str)
        or not isinstance(listed, list)
        or not isinstance(cards, dict)
        or len(listed) > _MOST_IDS
        or not all(isinstance(one, str) for one in listed)
        or not all(type(at) is int for at in cards.values())
    ):
        raise MembershipError(f"found a summary that isn't any: {theirs!r:.80}")
    return turn, digest, None if ids is None else set(listed), cards
