"""One end of a federation's topics: a thread that reads, checks, and sends until acknowledged.

What both sides have in common. A record is looked at in this order: can it be read, is it of this
federation, of a kind that belongs into its topic, by a member, whole, signed, for this receiver;
only then at what it says. Whatever fails becomes a dead letter with the reason.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from glean.errors import FederationError
from glean.kafka.chunks import Assembler
from glean.kafka.client_config import KafkaAccess
from glean.kafka.connection import Reading, TopicConnection
from glean.kafka.consumer import Record
from glean.kafka.dead_letters import CAME_AGAIN, DeadLetter, DeadLetters
from glean.kafka.envelope import (
    EVERYONE,
    Chunk,
    EnvelopeError,
    EnvelopeHead,
    read_chunk,
    read_head,
)
from glean.kafka.outgoing import Outgoing, Sender
from glean.kafka.producer import BrokerAwayError
from glean.kafka.resending import Resending
from glean.kafka.topics import Topics
from glean.outbox.inbox import Inbox
from glean.outbox.outbox import Outbox
from glean.privacy.envelope_signature import EnvelopeKeys, EnvelopeSigner

LOG = logging.getLogger("glean")

DAY_S = 24 * 3600.0
OUTBOX_S = DAY_S
FRESH_S = 2 * DAY_S
"""A message may be so much older or younger than the own clock says."""

INBOX_S = 5 * DAY_S
"""Longer than any message is taken for fresh: none comes again once its name is forgotten."""

MOST_BYTES = 2**30
"""Of messages that wait, where nothing else is said."""

POLL_S = 0.05
_EXPIRE_EVERY_S = 10.0
_AGAIN_S = 1.0


@dataclass(frozen=True)
class EndpointParts:
    """What an end is made of.

    Parameters
    ----------
    access : KafkaAccess
        How brokers are reached.
    topics : Topics
        The federation's topics.
    signer : EnvelopeSigner
        The own private key.
    keys : EnvelopeKeys
        Public keys of those whose envelopes are taken.
    folder : Path
        For the files of outbox and inbox.
    most_bytes : int
        Of messages that wait, in the outbox and among those that have come, each.
    """

    access: KafkaAccess
    topics: Topics
    signer: EnvelopeSigner
    keys: EnvelopeKeys
    folder: Path
    most_bytes: int = MOST_BYTES


class Endpoint(ABC):
    """An end; who makes one calls `begin` and, once done, `close`.

    Parameters
    ----------
    parts : EndpointParts
        What it is made of.
    name : str
        The own name; "" for the server.
    reading : Reading
        What is read.
    kinds : mapping
        Topic -> kinds of envelopes that belong into it.
    shared : frozenset of str
        Topics in whose partitions there are messages for others, too.
    makes_topics : bool
        Whether topics that are missing are made.

    Raises
    ------
    FederationError
        Its files can't be used.
    """

    def __init__(
        self,
        parts: EndpointParts,
        *,
        name: str,
        reading: Reading,
        kinds: Mapping[str, frozenset[str]],
        shared: frozenset[str] = frozenset(),
        makes_topics: bool,
    ) -> None:
        self._parts, self._name = parts, name
        self._kinds, self._shared = kinds, shared
        self._federation = parts.access.url.federation
        self._connection = TopicConnection(
            parts.access,
            parts.topics,
            reading,
            makes_topics=makes_topics,
            settled=self._settled,
        )
        parts.folder.mkdir(parents=True, exist_ok=True)
        self._outbox = Outbox(
            parts.folder / "outbox.sqlite", most_bytes=parts.most_bytes, expires_s=OUTBOX_S
        )
        self._inbox = Inbox(parts.folder / "inbox.sqlite", expires_s=INBOX_S)
        self._resending = Resending(self._connection.sending)
        sender = Sender(self._federation, name, parts.signer, self._place_of)
        self._outgoing = Outgoing(sender, self._outbox, self._connection, self._resending)
        self._lock = threading.RLock()
        self._expire_at = 0.0
        self.dead_letters = DeadLetters(self._write_dead)
        self._assembler = Assembler(self.dead_letters.give_up, most_bytes=parts.most_bytes)
        self._stop = threading.Event()
        self._failure: Exception | None = None
        self._opened = 0
        self._thread = threading.Thread(target=self._run, name="kafka", daemon=True)

    @property
    def problem(self) -> str:
        """Why the brokers can't be used; "" where they can."""
        return self._connection.problem

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread, and let go of connections and files."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._connection.close()
        self._outbox.close()
        self._inbox.close()

    @abstractmethod
    def _check(self, chunk: Chunk) -> None:
        """Refuse a chunk that was proved, for what it says.

        Raises
        ------
        EnvelopeError
            It isn't taken.
        """

    @abstractmethod
    def _take(self, head: EnvelopeHead, body: bytes) -> None:
        """Take a whole message."""

    @abstractmethod
    def _tick(self) -> None:
        """Do what is to be done now and then."""

    @abstractmethod
    def _place_of(self, head: EnvelopeHead) -> tuple[str, str]:
        """Give the topic of a message, and the member by whose name its partition is found."""

    def _expire(self) -> None:
        """Name what nobody acknowledged in time, and of what chunks were missing for too long."""
        if time.monotonic() < self._expire_at:
            return
        self._expire_at = time.monotonic() + _EXPIRE_EVERY_S
        self._assembler.expire()
        for head in self._outgoing.expired():
            why = f"nobody has acknowledged {head.message_id!r:.80} for {OUTBOX_S:.0f} s"
            self.dead_letters.give_up(head, EnvelopeError("expired", why))

    def _check_failure(self) -> None:
        failure = self._failure
        if failure is not None:
            raise FederationError(f"Kafka: {failure}") from failure

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._step()
            except FederationError as error:  # like a disk that is full: somebody may make room
                if self._failure is None:
                    LOG.warning("Kafka: %s; tried again until it can", error)
                self._failure = error
                self._stop.wait(_AGAIN_S)
            except Exception as error:  # told to whoever sends or receives next
                self._failure = error
                LOG.exception("Kafka: the thread that reads topics can't go on")
                return

    def _step(self) -> None:
        """Take what has come, and send what is due; of what fails in between all comes again."""
        records = self._connection.poll(POLL_S)
        if self._connection.opened_times != self._opened:
            self._opened = self._connection.opened_times
            self._resending.all_due()
        for record in records:
            self._consider(record)
        self._tick()
        self._expire()
        if records:
            self._failure = None

    def _consider(self, record: Record) -> None:
        try:
            chunk = self._proved(record)
            if chunk is None:
                return
            self._check(chunk)
            body = self._assembler.add(chunk)
        except EnvelopeError as error:
            self.dead_letters.refuse(record, error)
            return
        if body is not None:
            self._take(chunk.head, body)

    def _proved(self, record: Record) -> Chunk | None:
        """Give a record's chunk; None where it is for somebody else in the same partition."""
        if record.problem:
            raise EnvelopeError("unreadable", record.problem)
        head = read_head(record.value)
        if head.federation != self._federation:
            raise EnvelopeError("other federation", f"found one of {head.federation!r:.80}")
        if head.kind not in self._kinds.get(record.topic, frozenset()):
            raise EnvelopeError("other topic", f"found {head.kind} in {record.topic}")
        chunk = read_chunk(record.value, self._parts.keys)
        if head.receiver not in (self._name, EVERYONE):
            if record.topic in self._shared:
                return None
            raise EnvelopeError("other receiver", f"found one for {head.receiver!r:.80}")
        if abs(time.time() - head.made_at) > FRESH_S:
            raise EnvelopeError("not fresh", f"{head.message_id!r:.80} is too old, or too new")
        return chunk

    def _settled(self, message_id: str, ok: bool) -> None:
        if not ok:
            self._resending.failed(message_id)

    def _write_dead(self, dead: DeadLetter) -> None:
        try:
            self._connection.send(
                self._parts.topics.dead_letters,
                self._name,
                f"dead-{time.time_ns()}",
                [dead.to_bytes(self._name)],
            )
        except BrokerAwayError:
            LOG.debug("a dead letter isn't written: the broker is away")


def came_again(head: EnvelopeHead) -> EnvelopeError:
    """Say that a message was taken already."""
    return EnvelopeError(CAME_AGAIN, f"{head.kind} {head.message_id!r:.80} was taken already")


def ids_in(body: bytes) -> list[str]:
    """Read a list of message ids; none where it is something else, since its sender is known."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return []
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
