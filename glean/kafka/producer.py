"""Writes records: each once and in order as long as a connection lives; never more than fit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glean.errors import FederationError
from glean.kafka.client_config import KafkaAccess

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

ROOM_LIMIT_S = 30.0
"""How long a record waits for room among those that wait for the broker."""

_POLL_S = 0.05
_LET_GO_S = 1.0


class BrokerAwayError(FederationError):
    """The brokers take nothing now; what was to be sent lies in the outbox."""


@dataclass
class _OnItsWay:
    topic: str
    left: int
    error: KafkaError | None = None


class RecordProducer:
    """An idempotent producer, used by several threads.

    Parameters
    ----------
    access : KafkaAccess
        How brokers are reached.
    on_error : callable
        Told what librdkafka says of connections.
    settled : callable
        Told of each message, by its id and topic, that the broker has all its records now, or what
        went wrong with one.

    Raises
    ------
    SettingsError
        Brokers can't be reached so.
    """

    def __init__(
        self,
        access: KafkaAccess,
        on_error: Callable[[KafkaError], None],
        settled: Callable[[str, str, KafkaError | None], None],
    ) -> None:
        from confluent_kafka import Producer

        self._producer = Producer(access.producer(on_error))
        self._settled = settled
        self._lock = threading.Lock()
        self._on_its_way: dict[str, _OnItsWay] = {}

    def sending(self, message_id: str) -> bool:
        """Whether records of a message wait for the broker."""
        with self._lock:
            return message_id in self._on_its_way

    def send(
        self, topic: str, partition: int, key: str, message_id: str, records: Iterable[bytes]
    ) -> None:
        """Hand over the records of a message; waits while there is no room for one.

        Raises
        ------
        BrokerAwayError
            Nothing is taken, for long or for good.
        """
        from confluent_kafka import KafkaException

        with self._lock:
            if message_id in self._on_its_way:
                return
            # One more than are handed over, until all are: else it might seem done in between.
            self._on_its_way[message_id] = _OnItsWay(topic, left=1)

        def delivered(error: KafkaError | None, _message: Message) -> None:
            self._count(message_id, error)

        try:
            for record in records:
                self._add(message_id)
                try:
                    self._produce(topic, partition, key, record, delivered)
                except BaseException:
                    self._count(message_id)
                    raise
        except KafkaException as error:
            raise BrokerAwayError(f"{topic}: {error.args[0].str()}") from error
        finally:
            self._count(message_id)
        self._producer.poll(0)

    def poll(self) -> None:
        """Hear what became of records."""
        self._producer.poll(0)

    def flush(self, limit_s: float) -> bool:
        """Wait until the broker has all; whether it has."""
        return int(self._producer.flush(limit_s)) == 0

    def close(self) -> None:
        """Drop what waits; it is told of as not delivered."""
        self._producer.purge()
        self._producer.flush(_LET_GO_S)

    def _produce(
        self,
        topic: str,
        partition: int,
        key: str,
        record: bytes,
        delivered: Callable[[KafkaError | None, Message], None],
    ) -> None:
        deadline = time.monotonic() + ROOM_LIMIT_S
        while True:
            try:
                self._producer.produce(
                    topic, record, key, partition=partition, on_delivery=delivered
                )
            except BufferError as error:
                if time.monotonic() > deadline:
                    raise BrokerAwayError(
                        f"{topic}: no room for a record within {ROOM_LIMIT_S:.0f} s"
                    ) from error
                self._producer.poll(_POLL_S)
            else:
                return

    def _add(self, message_id: str) -> None:
        with self._lock:
            self._on_its_way[message_id].left += 1

    def _count(self, message_id: str, error: KafkaError | None = None) -> None:
        with self._lock:
            state = self._on_its_way[message_id]
            state.left -= 1
            state.error = state.error or error
            if state.left:
                return
            del self._on_its_way[message_id]
        self._settled(message_id, state.topic, state.error)
