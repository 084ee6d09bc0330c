"""What an end sends: heads that are right, records that are signed, again until acknowledged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from glean.kafka.chunks import split
from glean.kafka.connection import TopicConnection
from glean.kafka.envelope import EnvelopeHead, digest_of
from glean.kafka.producer import BrokerAwayError
from glean.kafka.resending import Resending
from glean.outbox.outbox import Outbox
from glean.privacy.envelope_signature import EnvelopeSigner

_HEAD_LENGTH = 4


@dataclass(frozen=True)
class Sender:
    """Who sends, and where to.

    Parameters
    ----------
    federation, name : str
        The federation, and the own name; "" for the server.
    signer : EnvelopeSigner
        The own private key.
    place_of : callable
        Gives the topic of a message, and the member by whose name its partition is found.
    """

    federation: str
    name: str
    signer: EnvelopeSigner
    place_of: Callable[[EnvelopeHead], tuple[str, str]]


class Outgoing:
    """Sends, from any thread.

    Parameters
    ----------
    sender : Sender
        Who sends.
    outbox : Outbox
        Keeps what has to be acknowledged.
    connection : TopicConnection
        Takes records.
    resending : Resending
        Knows when each was tried.
    """

    def __init__(
        self, sender: Sender, outbox: Outbox, connection: TopicConnection, resending: Resending
    ) -> None:
        self._sender, self._outbox = sender, outbox
        self._connection, self._resending = connection, resending
        self._lock = threading.Lock()
        self._last_sequence = 0

    def head(
        self,
        kind: str,
        receiver: str,
        run: int,
        body: bytes,
        *,
        message_id: str = "",
        reply_to: str = "",
    ) -> EnvelopeHead:
        """Make the head of a message; without an id it gets one of its own."""
        with self._lock:
            self._last_sequence = max(time.time_ns(), self._last_sequence + 1)
            sequence = self._last_sequence
        return EnvelopeHead(
            federation=self._sender.federation,
            run=run,
            sender=self._sender.name,
            receiver=receiver,
            kind=kind,
            message_id=message_id or f"{kind}-{sequence}",
            reply_to=reply_to,
            sequence=sequence,
            made_at=time.time(),
            size=len(body),
            digest=digest_of(body),
        )

    def keep_and_send(self, head: EnvelopeHead, body: bytes) -> None:
        """Put a message into the outbox, and send it if that goes now.

        Raises
        ------
        OutboxFullError
            There is no room.
        """
        content = head.to_bytes()
        packed = len(content).to_bytes(_HEAD_LENGTH, "big") + content + body
        self._outbox.put(head.message_id, head.receiver, packed, origin=str(head.run))
        self.try_to_send(head, body)

    def try_to_send(self, head: EnvelopeHead, body: bytes) -> None:
        """Send; what doesn't go now is sent again later, if it is in the outbox."""
        topic, member = self._sender.place_of(head)
        self._resending.tried(head.message_id)
        records = split(head, body, self._sender.signer, chunk_bytes=self._connection.chunk_bytes)
        try:
            self._connection.send(topic, member, head.message_id, records)
        except BrokerAwayError:
            self._resending.failed(head.message_id)

    def send_again(
        self, *, unwanted: frozenset[str] = frozenset(), of: frozenset[str] | None = None
    ) -> None:
        """Send what its receiver hasn't acknowledged in time.

        Parameters
        ----------
        unwanted : frozenset of str
            Ids of messages that are in their receiver's hands.
        of : frozenset of str or None
            Of these runs only.
        """
        if not self._connection.is_open:
            return
        waiting = self._outbox.waiting()
        self._resending.keep(message.message_id for message in waiting)
        for known in waiting:
            if known.message_id in unwanted or (of is not None and known.origin not in of):
                continue
            if not self._resending.due(known.message_id):
                continue
            message = self._outbox.give(known.message_id)
            if message is not None:
                self.try_to_send(*_unpacked(message.body))

    def expired(self) -> list[EnvelopeHead]:
        """Remove what nobody acknowledged in time, and give its heads."""
        return [_unpacked(message.body)[0] for message in self._outbox.expire()]


def _unpacked(packed: bytes) -> tuple[EnvelopeHead, bytes]:
    at = _HEAD_LENGTH + int.from_bytes(packed[:_HEAD_LENGTH], "big")
    return EnvelopeHead.from_bytes(packed[_HEAD_LENGTH:at]), packed[at:]
