"""A broker that answers as a script says, in place of a connection to a real one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

from pika import BasicProperties
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import StreamLostError

from glean.broker.connection import BrokerConnection, BrokerError


class BrokerAnswer(Enum):
    """What becomes of a message that is sent."""

    CONFIRMED = "it arrives, and its sender hears so"
    LOST = "the connection ends before it arrives"
    UNCONFIRMED = "it arrives, and the connection ends before its sender hears so"
    SENDER_KILLED = "it arrives, and its sender is killed before it can write that down"


class KilledError(BaseException):
    """The process that sends was killed: nothing of it goes on."""


@dataclass(frozen=True)
class Arrived:
    """A message as it came to the broker."""

    exchange: str
    routing_key: str
    message_id: str
    body: bytes
    priority: int
    headers: dict[str, Any]


class ScriptedConnection(BrokerConnection):
    """Answers message after message as the script says, and confirms once it is over."""

    def __init__(self, script: Sequence[BrokerAnswer] = ()) -> None:
        self._script = list(script)
        self._problem = ""
        self.arrived: list[Arrived] = []
        self.queued = 0

    @contextmanager
    def channel(self) -> Iterator[BlockingChannel]:
        try:
            yield cast("BlockingChannel", self)
        except StreamLostError as error:
            raise BrokerError("lost") from error

    def close(self) -> None:
        pass

    def keep_alive(self) -> None:
        pass

    def basic_publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: BasicProperties,
        **_mandatory: bool,
    ) -> None:
        answer = self._script.pop(0) if self._script else BrokerAnswer.CONFIRMED
        if answer is not BrokerAnswer.LOST:
            self.arrived.append(
                Arrived(
                    exchange,
                    routing_key,
                    str(properties.message_id),
                    body,
                    properties.priority or 0,
                    dict(properties.headers or {}),
                )
            )
        if answer is BrokerAnswer.SENDER_KILLED:
            raise KilledError
        if answer is not BrokerAnswer.CONFIRMED:
            raise StreamLostError

    def queue_declare(self, _queue: str, *, passive: bool) -> Any:
        """Say how many messages wait, as the broker does where a queue isn't to be made."""
        assert passive

        class Frame:
            class method:  # noqa: N801 # pika's
                message_count = self.queued

        return Frame
