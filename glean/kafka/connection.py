"""A producer and a consumer on a federation's topics, opened again once brokers have lost them.

A broker whose storage is its memory forgets all when it is killed: topics, records, places, and
who produced what. Then nothing of an open producer or consumer is worth keeping, so both are
closed, the topics made again, and new ones opened. What was sent before and not acknowledged by its
receiver is its sender's to send again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glean.kafka.chunks import CHUNK_BYTES
from glean.kafka.client_config import KafkaAccess
from glean.kafka.consumer import Partition, Record, RecordConsumer
from glean.kafka.producer import BrokerAwayError, RecordProducer
from glean.kafka.topic_maker import TopicMaker
from glean.kafka.topics import Topics, partition_of

if TYPE_CHECKING:
    from confluent_kafka import KafkaError

LOG = logging.getLogger("glean")

SMALLEST_CHUNK = 16 * 1024
SILENCE_S = 8.0
"""How long nothing may come, where something should, before brokers are asked what they have."""

_PAUSE_S = 0.3
_LONGEST_PAUSE_S = 3.0


@dataclass(frozen=True)
class Reading:
    """What one side reads.

    Parameters
    ----------
    group : str
        Under what name its places are kept.
    partitions : callable
        Given how many partitions each topic has, says which are read.
    kept : tuple of str
        Topics in which an earlier process's place counts.
    """

    group: str
    partitions: Callable[[Mapping[str, int]], list[Partition]]
    kept: tuple[str, ...] = ()


class TopicConnection:
    """The connection of one side; one thread reads and opens it, any thread sends.

    Parameters
    ----------
    access : KafkaAccess
        How brokers are reached.
    topics : Topics
        The federation's topics.
    reading : Reading
        What is read.
    makes_topics : bool
        Whether topics that are missing are made here; the server does.
    settled : callable
        Told of each message whether the brokers have it.
    """

    def __init__(
        self,
        access: KafkaAccess,
        topics: Topics,
        reading: Reading,
        *,
        makes_topics: bool,
        settled: Callable[[str, bool], None],
    ) -> None:
        self._access, self._topics, self._reading = access, topics, reading
        self._maker = TopicMaker(access, topics, makes=makes_topics)
        self._settled = settled
        self._lock = threading.Lock()
        self._producer: RecordProducer | None = None
        self._consumer: RecordConsumer | None = None
        self._places: dict[Partition, int] = {}
        self._sizes: dict[str, int] = {}
        self._suspect = ""
        self._problem = ""
        self._pause_s, self._not_before = _PAUSE_S, 0.0
        self._heard_at = time.monotonic()
        self.chunk_bytes = CHUNK_BYTES
        self.opened_times = 0

    @property
    def problem(self) -> str:
        """Why the brokers can't be used; "" where they can."""
        return self._problem

    @property
    def is_open(self) -> bool:
        """Whether there is a producer and a consumer."""
        return self._producer is not None

    def sending(self, message_id: str) -> bool:
        """Whether records of a message wait for the broker."""
        producer = self._producer
        return producer is not None and producer.sending(message_id)

    def send(self, topic: str, member: str, message_id: str, records: Iterable[bytes]) -> None:
        """Send the records of a message to or from a member.

        Raises
        ------
        BrokerAwayError
            Not now.
        """
        producer = self._producer
        if producer is None:
            raise BrokerAwayError(self._problem or "no connection yet")
        producer.send(topic, partition_of(member, self._sizes[topic]), member, message_id, records)

    def poll(self, timeout_s: float) -> list[Record]:
        """Give what has come; opens the connection where that is to be done."""
        if self._suspect or (self.is_open and time.monotonic() - self._heard_at > SILENCE_S):
            self._let_go(self._suspect or "nothing has come for a while")
        if not self.is_open and not self._open():
            time.sleep(min(timeout_s, _PAUSE_S))
            return []
        assert self._producer is not None
        assert self._consumer is not None
        self._producer.poll()
        found = self._consumer.poll(timeout_s)
        if found:
            self._heard_at = time.monotonic()
        return found

    def hush(self) -> None:
        """Say that nothing has to come at this time."""
        self._heard_at = time.monotonic()

    def pause(self, topic: str, *, yes: bool) -> None:
        """Read no further in a topic, or go on with it."""
        if self._consumer is not None:
            self._consumer.pause(topic, yes=yes)

    def commit(self) -> None:
        """Keep the places for the next process."""
        if self._consumer is not None:
            self._consumer.commit()

    def flush(self, limit_s: float) -> bool:
        """Wait until the brokers have all that was sent; whether they have."""
        producer = self._producer
        return producer is not None and producer.flush(limit_s)

    def close(self) -> None:
        """Let go of everything."""
        with self._lock:
            producer, self._producer = self._producer, None
            consumer, self._consumer = self._consumer, None
        if producer is not None:
            producer.close()
        if consumer is not None:
            self._places |= consumer.places
            consumer.close()

    def _let_go(self, why: str) -> None:
        LOG.debug("%s: %s; looked at again", self._access.url, why)
        self._suspect = ""
        self.close()

    def _open(self) -> bool:
        from confluent_kafka import KafkaException

        if time.monotonic() < self._not_before:
            return False
        consumer = None
        try:
            self._sizes = self._maker.sizes()
            consumer = RecordConsumer(self._access, self._reading.group, self._hear)
            consumer.assign(
                self._reading.partitions(self._sizes), self._places, kept=self._reading.kept
            )
            producer = RecordProducer(self._access, self._hear, self._told)
        except (KafkaException, BrokerAwayError) as error:
            if consumer is not None:
                consumer.close()
            self._failed(error)
            return False
        if self._problem:
            LOG.info("%s is there again", self._access.url)
        self._problem, self._pause_s, self._suspect = "", _PAUSE_S, ""
        self._heard_at = time.monotonic()
        with self._lock:
            self._consumer, self._producer = consumer, producer
        self.opened_times += 1
        return True

    def _failed(self, error: Exception) -> None:
        said = error.args[0].str() if hasattr(error.args[0], "str") else str(error)
        if not self._problem:
            LOG.warning("%s: %s; tried again until it is there", self._access.url, said)
        self._problem = f"{self._access.url}: {said}"
        self._not_before = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

    def _hear(self, error: KafkaError, topic: str = "") -> None:
        """Judge what librdkafka says; a single broker of several may come and go."""
        from confluent_kafka import KafkaError as Known

        lost = (
            Known._ALL_BROKERS_DOWN,  # noqa: SLF001 # librdkafka's own names begin so
            Known._UNKNOWN_PARTITION,  # noqa: SLF001
            Known._UNKNOWN_TOPIC,  # noqa: SLF001
            Known.UNKNOWN_TOPIC_OR_PART,
            Known.OFFSET_OUT_OF_RANGE,
        )
        if error.fatal() or error.code() in lost:
            self._suspect = error.str()
        elif error.code() in _refusals():
            self._failed(BrokerAwayError(f"{topic}: {error.str()}" if topic else error.str()))

    def _told(self, message_id: str, topic: str, error: KafkaError | None) -> None:
        from confluent_kafka import KafkaError as Known

        if error is not None and error.code() == Known.MSG_SIZE_TOO_LARGE:
            self.chunk_bytes = max(SMALLEST_CHUNK, self.chunk_bytes // 2)
            LOG.info("the broker takes smaller records only: chunks of %d bytes", self.chunk_bytes)
        elif error is not None and error.code() in _refusals():
            self._failed(BrokerAwayError(f"{topic}: {error.str()}"))
        elif error is not None:
            self._suspect = error.str()
        self._settled(message_id, error is None)


def _refusals() -> tuple[int, ...]:
    """Errors that another connection doesn't mend: somebody has to give rights, or a password."""
    from confluent_kafka import KafkaError as Known

    return (
        Known._AUTHENTICATION,  # noqa: SLF001 # librdkafka's own names begin so
        Known.TOPIC_AUTHORIZATION_FAILED,
        Known.CLUSTER_AUTHORIZATION_FAILED,
    )
