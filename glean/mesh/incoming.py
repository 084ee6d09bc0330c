"""An envelope comes in: checked, and kept for this peer or to be passed on.

What this says of it goes back to the peer that brought it, who then lets go of it or tries again.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from glean.errors import FederationError
from glean.mesh.mesh_limits import MeshLimits
from glean.mesh.message_store import ACKNOWLEDGEMENT, MeshMessage, MessageStore, envelope_key
from glean.mesh.outgoing import OutgoingMessages, is_short_lived
from glean.mesh.peer_directory import PeerDirectory
from glean.outbox.outbox import OutboxFullError
from glean.privacy.peer_identity import PeerIdentity
from glean.privacy.sealed_envelope import EnvelopeError, EnvelopeHead, SealedEnvelope
from glean.runs.log_lines import visible

LOG = logging.getLogger(__name__)

_DAY_S = 86_400.0


class EnvelopeStatus(StrEnum):
    """What became of an envelope."""

    STORED = "stored"
    """It is on disk here."""
    LATER = "later"
    """There is no room, its sender isn't known here yet, or a clock is wrong."""
    REFUSED = "refused"
    """It is no good, and never will be."""


@dataclass(frozen=True)
class Receipt:
    """What is said to the peer that brought an envelope.

    Parameters
    ----------
    status : EnvelopeStatus
        What became of it.
    reason : str
        Why, where it wasn't stored.
    """

    status: EnvelopeStatus
    reason: str = ""

    def to_bytes(self) -> bytes:
        """Write it."""
        return json.dumps([self.status, self.reason[:300]]).encode()

    @classmethod
    def of(cls, content: bytes) -> Receipt:
        """Read what `to_bytes` wrote.

        Raises
        ------
        FederationError
            It is none.
        """
        try:
            status, reason = json.loads(content)
            return cls(EnvelopeStatus(status), visible(str(reason)[:300]))
        except (ValueError, TypeError, RecursionError) as error:
            raise FederationError(
                f"found {content[:60]!r} for a receipt; wanted a status and a reason"
            ) from error


class _AheadOfTimeError(EnvelopeError):
    """An envelope is from the future: a clock is wrong, which may be this one, and for a while."""


class IncomingMessages:
    """What a node does with envelopes.

    Parameters
    ----------
    store : MessageStore
        Its files.
    identity : PeerIdentity
        Its keys.
    directory : PeerDirectory
        Whom it knows.
    outgoing : OutgoingMessages
        What acknowledges, and hears of acknowledgements.
    limits : MeshLimits
        Its bounds.
    arrived : callable
        Called when there is something to handle, or to pass on.
    """

    def __init__(
        self,
        store: MessageStore,
        identity: PeerIdentity,
        directory: PeerDirectory,
        outgoing: OutgoingMessages,
        *,
        limits: MeshLimits,
        arrived: Callable[[], None] = lambda: None,
    ) -> None:
        self._store, self._identity, self._directory = store, identity, directory
        self._outgoing, self._limits, self._arrived = outgoing, limits, arrived
        self.refused: Counter[str] = Counter()
        self._keeps = threading.Lock()

    def take(self, content: bytes, hops_left: int, brought_by: str) -> Receipt:
        """Take an envelope that a peer brought.

        Parameters
        ----------
        content : bytes
            The envelope.
        hops_left : int
            Through how many hands it may still go.
        brought_by : str
            Who brought it.
        """
        try:
            receipt = self._take(content, hops_left)
        except _AheadOfTimeError as error:
            LOG.warning("mesh: an envelope from %s was put off: %s", brought_by, error)
            receipt = Receipt(EnvelopeStatus.LATER, str(error))
        except EnvelopeError as error:
            receipt = Receipt(EnvelopeStatus.REFUSED, str(error))
        except OutboxFullError as error:
            receipt = Receipt(EnvelopeStatus.LATER, str(error))
        if receipt.status is EnvelopeStatus.REFUSED:
            self.refused[brought_by] += 1
            LOG.warning("mesh: an envelope from %s was refused: %s", brought_by, receipt.reason)
        return receipt

    def _take(self, content: bytes, hops_left: int) -> Receipt:
        envelope = SealedEnvelope.of(content)
        self._check_place_and_time(envelope)
        sender = self._directory.peer(envelope.head.sender)
        if sender is None:
            return Receipt(
                EnvelopeStatus.LATER,
                f"its sender {envelope.head.sender!r} isn't known here as a peer of the mesh (yet)",
            )
        envelope.check(sender.key)
        if envelope.head.receiver == self._directory.name:
            return self._deliver(envelope)
        return self._pass_on(envelope, content, hops_left)

    def _check_place_and_time(self, envelope: SealedEnvelope) -> None:
        head, now = envelope.head, self._store.now_ms()
        skew, life = (
            int(1000 * seconds)
            for seconds in (self._limits.clock_skew_s, self._limits.message_life_s)
        )
        mine = self._directory.mesh.name
        if head.mesh != mine:
            raise EnvelopeError(f"found an envelope of the mesh {head.mesh!r}; wanted {mine!r}")
        if head.expires_ms + skew < now:
            raise EnvelopeError(
                f"envelope {head.message_id!r} from {head.sender!r} expired "
                f"{(now - head.expires_ms) / 1000:.0f} s ago: it was late or repeated, or a clock "
                "is wrong"
            )
        if head.expires_ms > head.sent_ms + life:
            raise EnvelopeError(
                f"envelope {head.message_id!r} from {head.sender!r} lasts too long: found "
                f"{(head.expires_ms - head.sent_ms) / 1000:.0f} s; wanted at most "
                f"{self._limits.message_life_s:.0f}"
            )
        if head.sent_ms > now + skew:
            raise _AheadOfTimeError(
                f"envelope {head.message_id!r} from {head.sender!r} was sent "
                f"{(head.sent_ms - now) / 1000:.0f} s ahead of this clock; wanted at most "
                f"{self._limits.clock_skew_s:.0f}: are the clocks right?"
            )

    def _deliver(self, envelope: SealedEnvelope) -> Receipt:
        """Keep a message that is for this peer; it is handled from there, once."""
        head = envelope.head
        if self._store.inbox.seen(head.sender, head.message_id):
            self._outgoing.acknowledge(envelope)
            return Receipt(EnvelopeStatus.STORED)
        try:
            kind, body = envelope.open(self._identity)
        except EnvelopeError as error:
            self._outgoing.acknowledge(envelope, refused=str(error))
            raise
        if kind == ACKNOWLEDGEMENT:
            self._outgoing.acknowledged(head.sender, body)
            return Receipt(EnvelopeStatus.STORED)
        message = MeshMessage(head.sender, kind, head.message_id, body, head.sent_ms)
        with self._keeps:
            # It may come over two connections at a time.
            if not self._store.inbox.seen(head.sender, head.message_id):
                self._keep(message, head)
        self._outgoing.acknowledge(envelope)
        self._arrived()
        return Receipt(EnvelopeStatus.STORED)

    def _keep(self, message: MeshMessage, head: EnvelopeHead) -> None:
        """Keep a message until it is handled.

        Raises
        ------
        OutboxFullError
            Too much of its sender's waits already, or of all; or too many came.
        """
        content = message.to_bytes()
        share = int(self._limits.peer_share * self._limits.most_arrived_bytes)
        held = self._store.arrived.held_bytes(origin=message.sender)
        if held + len(content) > share:
            raise OutboxFullError(
                f"{held} bytes from {message.sender!r} wait here to be handled; wanted at most "
                f"{share}"
            )
        if not self._store.inbox.has_room(message.sender):
            raise OutboxFullError(
                f"more messages from {message.sender!r} came of late than can be remembered; they "
                "are taken once earlier ones may be forgotten"
            )
        key = envelope_key(message.sender, message.message_id)
        self._store.arrived.put(key, message.kind, content, origin=message.sender)
        # In this order: after a kill in between it comes again, and is handled only now.
        keep_s = None
        if is_short_lived(head, self._limits):
            # Of heartbeats there are many. Repeated after that, its date refuses it.
            left_s = (head.expires_ms - self._store.now_ms()) / 1000
            keep_s = left_s + 2 * self._limits.clock_skew_s + _DAY_S
        self._store.inbox.take(message.sender, message.message_id, keep_s=keep_s)

    def _pass_on(self, envelope: SealedEnvelope, content: bytes, hops_left: int) -> Receipt:
        """Keep a message that is for another peer."""
        head = envelope.head
        if hops_left < 1 or head.sender == self._directory.name:
            raise EnvelopeError(
                f"envelope {head.message_id!r} from {head.sender!r} went through too many hands, "
                "or in a circle"
            )
        if self._directory.peer(head.receiver) is None:
            return Receipt(
                EnvelopeStatus.LATER, f"its receiver {head.receiver!r} isn't known here (yet)"
            )
        share = int(self._limits.peer_share * self._limits.most_relayed_bytes)
        held = self._store.relayed.held_bytes(origin=head.sender)
        if held + len(content) > share:
            return Receipt(
                EnvelopeStatus.LATER,
                f"{held} bytes from {head.sender!r} wait here to be passed on; wanted at most "
                f"{share}",
            )
        self._store.relayed.put(
            envelope_key(head.sender, head.message_id),
            head.receiver,
            bytes([min(hops_left, self._limits.most_hops)]) + content,
            origin=head.sender,
            life_s=max(0.0, (head.expires_ms - self._store.now_ms()) / 1000)
            if is_short_lived(head, self._limits)
            else None,
        )
        self._arrived()
        return Receipt(EnvelopeStatus.STORED)
