"""What is in the outboxes goes over the connections that there are, and again where it has to.

How each message stands is kept in memory only: after a restart all that is on disk is sent again,
and who has it already says so.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from glean.mesh.frames import Packet, PacketKind
from glean.mesh.incoming import EnvelopeStatus, Receipt
from glean.mesh.mesh_limits import MeshLimits
from glean.mesh.message_store import ACKNOWLEDGEMENT, KEY_BYTES, MessageStore
from glean.mesh.outgoing import is_short_lived
from glean.mesh.peer_directory import PeerDirectory
from glean.mesh.routing import keepers, next_hops
from glean.outbox.outbox import Outbox, WaitingMessage
from glean.privacy.sealed_envelope import SealedEnvelope

LOG = logging.getLogger(__name__)

PASSED_ON_S = 600.0
"""So long it is said that a peer has passed messages on between two others."""


_MOST_KEEPERS = 3
"""That many peers at most get, one after the other, what is for somebody whom nobody hears."""

_DRAW = random.SystemRandom()


class Link(Protocol):
    """A connection to a peer."""

    def offer(self, packet: Packet) -> bool:
        """Send a packet; False where that can't be now."""


@dataclass(frozen=True)
class _Attempt:
    """A message that is on its way.

    Parameters
    ----------
    to, receiver : str
        Whom it was given to, and for whom it is.
    number, size : int
        Which attempt, and its bytes.
    answered : bool
        Whether it was.
    until : float
        When it is sent again.
    """

    to: str
    receiver: str
    number: int
    size: int
    answered: bool
    until: float


class Forwarder:
    """Sends what waits.

    Parameters
    ----------
    store : MessageStore
        Where it waits.
    directory : PeerDirectory
        Who knows whom.
    limits : MeshLimits
        Bounds and times.
    clock : callable
        Gives seconds that never go back.
    """

    def __init__(
        self,
        store: MessageStore,
        directory: PeerDirectory,
        *,
        limits: MeshLimits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._directory, self._limits = store, directory, limits
        self._clock = clock
        self._attempts: dict[str, _Attempt] = {}
        self._unanswered: Counter[str] = Counter()
        self._unanswered_bytes: Counter[str] = Counter()
        self._passed_on: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def forward(self, links: Mapping[str, Link]) -> int:
        """Send what can be sent now, over links by peer; how many messages that were."""
        sent = 0
        with self._lock:
            self._count(links)
            for box in (self._store.outbox, self._store.relayed):
                for receiver in box.receivers():
                    sent += self._forward_to(box, receiver, links)
        return sent

    def connected(self, peer: str) -> None:
        """Hear of a new connection: what an earlier one, or a relay, was given goes over it."""
        with self._lock:
            self._attempts = {
                key: attempt
                for key, attempt in self._attempts.items()
                if attempt.receiver != peer and (attempt.answered or attempt.to != peer)
            }

    def answered(self, peer: str, content: bytes) -> None:
        """Hear from a peer what became of an envelope.

        Raises
        ------
        FederationError
            It says nothing that can be read.
        """
        key, receipt = content[:KEY_BYTES].hex(), Receipt.of(content[KEY_BYTES:])
        with self._lock:
            attempt = self._attempts.get(key)
            if attempt is None or attempt.to != peer:
                return
            if self._done_with(key, peer, attempt, receipt):
                self._attempts.pop(key, None)
                return
            if receipt.status is EnvelopeStatus.LATER:
                LOG.info("mesh: %s doesn't take a message yet: %s", peer, receipt.reason)
            wait_s = self._wait_s(attempt, receipt.status)
            self._attempts[key] = replace(attempt, answered=True, until=self._clock() + wait_s)

    def passed_on(self) -> list[tuple[str, str]]:
        """Say from whom to whom messages were passed on of late: taken by the next peer."""
        with self._lock:
            since = self._clock() - PASSED_ON_S
            self._passed_on = {pair: at for pair, at in self._passed_on.items() if at >= since}
            return sorted(self._passed_on)

    def expire(self) -> None:
        """Give up what waited too long to be passed on."""
        for message in self._store.relayed.expire():
            self._give_up(message.body, "expired while it waited to be passed on")

    def _count(self, links: Mapping[str, Link]) -> None:
        """Forget attempts that are over or whose connection is; count what is unanswered."""
        now = self._clock()
        self._attempts = {
            key: attempt
            for key, attempt in self._attempts.items()
            if attempt.until > now and (attempt.answered or attempt.to in links)
        }
        self._unanswered.clear()
        self._unanswered_bytes.clear()
        for attempt in self._attempts.values():
            if not attempt.answered:
                self._unanswered[attempt.to] += 1
                self._unanswered_bytes[attempt.to] += attempt.size

    def _forward_to(self, box: Outbox, receiver: str, links: Mapping[str, Link]) -> int:
        relays = box is self._store.relayed
        ways = next_hops(
            receiver,
            self._directory.name,
            connected=links,
            neighbours=self._directory.neighbours,
            most_hops=self._limits.most_hops,
            relays=relays,
        )
        if receiver in ways:
            # Itself: nobody else needs it then, even if it has to wait a moment.
            ways = [receiver]
        kept = not (ways or relays) and self._directory.peer(receiver) is not None
        if kept:
            ways = keepers(receiver, self._directory.name, connected=links)[:_MOST_KEEPERS]
        if not ways:
            return 0
        waits = ways[0] != receiver and not relays and (kept or self._is_neighbour(receiver))
        waiting = [m for m in box.waiting(receiver) if m.message_id not in self._attempts]
        sent = 0
        for message in waiting:
            # A clock that was set back mustn't hold messages for as long.
            if waits and 0 <= self._store.clock() - message.put_at < self._limits.relay_after_s:
                continue
            if all(self._busy(way) for way in ways):
                break
            sent += any(
                self._send(box, message.message_id, receiver, way, links[way])
                for way in _in_turn(ways, message)
            )
        return sent

    def _busy(self, peer: str) -> bool:
        """Whether a peer has enough on its hands."""
        return (
            self._unanswered[peer] >= self._limits.most_in_flight
            or self._unanswered_bytes[peer] >= self._limits.most_in_flight_bytes
        )

    def _is_neighbour(self, peer: str) -> bool:
        return peer in self._directory.neighbours(self._directory.name)

    def _wait_s(self, attempt: _Attempt, status: EnvelopeStatus) -> float:
        """How long a relay's word is taken: longer each time, since it is likely to have it."""
        limits, longer = self._limits, 2.0 ** min(attempt.number - 1, 30)
        if status is EnvelopeStatus.LATER:
            return min(limits.later_s * longer, max(limits.later_s, limits.custody_s))
        return min(limits.custody_s * longer, limits.longest_custody_s)

    def _send(self, box: Outbox, key: str, receiver: str, way: str, link: Link) -> bool:
        if self._busy(way):
            return False
        message = box.give(key)
        if message is None:
            return False
        hops_left, envelope = self._limits.most_hops, message.body
        if box is self._store.relayed:
            hops_left, envelope = message.body[0], message.body[1:]
            if SealedEnvelope.of(envelope).head.expires_ms < self._store.now_ms():
                box.acknowledge(key)
                self._give_up(message.body, "expired before it could be passed on")
                return False
        content = bytes([hops_left - 1]) + bytes.fromhex(key) + envelope
        size = len(content)
        on_the_line = (self._unanswered_bytes[way] + size) / self._limits.slowest_bytes_s
        until = self._clock() + self._limits.resend_s + on_the_line
        # Noted first: the receipt may be here before `offer` returns.
        self._attempts[key] = _Attempt(way, receiver, message.attempts, size, False, until)
        if link.offer(Packet(PacketKind.ENVELOPE, content)):
            self._unanswered[way] += 1
            self._unanswered_bytes[way] += size
            return True
        self._attempts.pop(key, None)
        return False

    def _done_with(self, key: str, peer: str, attempt: _Attempt, receipt: Receipt) -> bool:
        """Whether a message needs no more from here."""
        origin = self._store.relayed.origin_of(key)
        if origin is not None:
            if receipt.status is EnvelopeStatus.STORED:
                self._passed_on[origin, attempt.receiver] = self._clock()
            if receipt.status is EnvelopeStatus.REFUSED:
                message = self._store.relayed.give(key)
                if message is not None:
                    self._give_up(message.body, f"refused by {peer}: {receipt.reason}")
            return receipt.status is not EnvelopeStatus.LATER and self._store.relayed.acknowledge(
                key
            )
        return self._done_with_own(key, peer, attempt, receipt)

    def _done_with_own(self, key: str, peer: str, attempt: _Attempt, receipt: Receipt) -> bool:
        """Whether an own message does: its receiver has to acknowledge it, or to refuse it."""
        origin = self._store.outbox.origin_of(key)
        if receipt.status is EnvelopeStatus.STORED and origin == ACKNOWLEDGEMENT:
            return self._store.outbox.acknowledge(key)
        if receipt.status is EnvelopeStatus.REFUSED and peer == attempt.receiver:
            message = self._store.outbox.give(key)
            if message is not None and self._store.outbox.acknowledge(key):
                self._give_up(b"\0" + message.body, f"refused by its receiver: {receipt.reason}")
            return True
        return False

    def _give_up(self, relayed: bytes, reason: str) -> None:
        head = SealedEnvelope.of(relayed[1:]).head
        if is_short_lived(head, self._limits) and head.expires_ms < self._store.now_ms():
            return
        self._store.dead_letters.name(head.message_id, head.sender, head.receiver, reason)


def _in_turn(ways: list[str], message: WaitingMessage) -> list[str]:
    """Begin with another way each time: what a relay took may be lost with it.

    Of an acknowledgement nobody knows how often it was sent: it is made anew each time.
    """
    acknowledges = message.origin == ACKNOWLEDGEMENT
    first = (_DRAW.randrange(len(ways)) if acknowledges else message.attempts) % len(ways)
    return [*ways[first:], *ways[:first]]
