"""Reads records of partitions that it was told, from places that it keeps itself.

No consumer group: joining one takes seconds to minutes, and each client reads a partition of its
own anyway. The group's name only says under what name places are kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glean.kafka.client_config import KafkaAccess

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

LIMIT_S = 5.0
MOST_AT_ONCE = 32
_COMMIT_EVERY_S = 1.0

Partition = tuple[str, int]
"""A topic's name, and which partition of it."""


@dataclass(frozen=True)
class Record:
    """A record as it came.

    Parameters
    ----------
    topic : str
        Of this topic.
    partition, offset : int
        Where in it.
    value : bytes
        What it holds.
    problem : str
        Why it couldn't be unpacked; "" where it could.
    """

    topic: str
    partition: int
    offset: int
    value: bytes
    problem: str = ""


class RecordConsumer:
    """A consumer, used by one thread.

    Parameters
    ----------
    access : KafkaAccess
        How brokers are reached.
    group : str
        Under what name places are kept.
    on_error : callable
        Told what librdkafka says of connections, and of which topic; "" for none.
    """

    def __init__(
        self, access: KafkaAccess, group: str, on_error: Callable[[KafkaError, str], None]
    ) -> None:
        from confluent_kafka import Consumer

        self._consumer = Consumer(access.consumer(group, lambda error: on_error(error, "")))
        self._on_error = on_error
        self.places: dict[Partition, int] = {}
        self._paused = False
        self._committed: dict[Partition, int] = {}
        self._step: dict[Partition, int] = {}
        self._commit_at = 0.0

    def assign(
        self,
        partitions: Iterable[Partition],
        before: Mapping[Partition, int],
        *,
        kept: Iterable[str] = (),
    ) -> None:
        """Begin to read.

        Parameters
        ----------
        partitions : iterable of Partition
            What to read.
        before : mapping
            Where this process was, of those that it has read already.
        kept : iterable of str
            Topics of which an earlier process's place counts, where there is one; of others what
            came before is no longer of interest.

        Raises
        ------
        KafkaException
            The brokers don't answer.
        """
        from confluent_kafka import TopicPartition

        chosen = list(partitions)
        asked = [TopicPartition(*p) for p in chosen if p[0] in set(kept) and p not in before]
        committed = self._consumer.committed(asked, timeout=LIMIT_S) if asked else []
        known = {(p.topic, p.partition): p.offset for p in committed if p.offset >= 0} | dict(
            before
        )
        for partition in chosen:
            low, high = self._consumer.get_watermark_offsets(
                TopicPartition(*partition), timeout=LIMIT_S
            )
            place = known.get(partition, high)
            # Beyond the end: the broker has forgotten what was there, and has begun again.
            self.places[partition] = place if low <= place <= high else low
        self._consumer.assign([TopicPartition(*p, offset) for p, offset in self.places.items()])

    def poll(self, timeout_s: float) -> list[Record]:
        """Give the records that there are; waits so long for the first."""
        first = self._consumer.poll(timeout_s)
        if first is None:
            return []
        found = [first, *self._consumer.consume(MOST_AT_ONCE - 1, 0)]
        return [record for message in found if (record := self._record(message)) is not None]

    def pause(self, topic: str, *, yes: bool) -> None:
        """Read no further in a topic, or go on with it."""
        from confluent_kafka import TopicPartition

        if yes == self._paused:
            return
        parts = [TopicPartition(*p) for p in self.places if p[0] == topic]
        (self._consumer.pause if yes else self._consumer.resume)(parts)
        self._paused = yes

    def commit(self) -> None:
        """Keep the places, for the next process; nothing is lost where that doesn't work."""
        from confluent_kafka import KafkaException, TopicPartition

        now = time.monotonic()
        if now < self._commit_at or self.places == self._committed:
            return
        self._commit_at, self._committed = now + _COMMIT_EVERY_S, dict(self.places)
        try:
            self._consumer.commit(
                offsets=[TopicPartition(*p, offset) for p, offset in self.places.items()],
                asynchronous=True,
            )
        except KafkaException as error:
            self._on_error(error.args[0], "")

    def close(self) -> None:
        """Let go."""
        self._consumer.close()

    def _record(self, message: Message) -> Record | None:
        error = message.error()
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        if error is not None:
            if error.code() not in _unpackable() or topic is None or partition is None:
                self._on_error(error, topic or "")
                return None
            self._go_past((topic, partition), offset or 0)
            return Record(topic, partition, offset or 0, b"", error.str())
        assert topic is not None and partition is not None and offset is not None  # noqa: PT018 # as it came
        self.places[(topic, partition)] = offset + 1
        self._step.pop((topic, partition), None)
        return Record(topic, partition, offset, message.value() or b"")

    def _go_past(self, partition: Partition, offset: int) -> None:
        """Read on behind what can't be unpacked, which librdkafka would fetch again for ever.

        It doesn't say how many records there are in one piece, so steps are doubled. What is
        skipped and was right comes again, as it isn't acknowledged.
        """
        from confluent_kafka import KafkaException, TopicPartition

        step = self._step.get(partition, 1)
        self._step[partition] = 2 * step
        try:
            _, end = self._consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)
            place = min(max(self.places.get(partition, 0), offset) + step, max(end, offset + 1))
            self._consumer.seek(TopicPartition(*partition, place))
        except KafkaException as error:
            self._on_error(error.args[0], partition[0])
        else:
            self.places[partition] = place


def _unpackable() -> tuple[int, ...]:
    """Errors of records that are there, and that nobody can unpack: another try doesn't help."""
    from confluent_kafka import KafkaError as Known

    return (
        Known._BAD_COMPRESSION,  # noqa: SLF001 # librdkafka's own names begin so
        Known._BAD_MSG,  # noqa: SLF001
        Known._NOT_IMPLEMENTED,  # noqa: SLF001
        Known.INVALID_MSG,
    )
