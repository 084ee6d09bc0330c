"""The in-process grid with a meter: exchanges, payload bytes, and the time spent at bakeries."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flwr.app import Message
from flwr.clientapp import ClientApp

from glean.federation.grids.inprocess import InProcessGrid
from glean.federation.wire.record_form import payload_bytes
from glean.settings import ConfigValue


@dataclass(frozen=True)
class Spent:
    """What a run has cost up to a moment.

    Parameters
    ----------
    exchanges : int
        Batches of messages: in a deployment each is a wait for all bakeries.
    bytes_down, bytes_up : int
        Payload sent to bakeries and received from them.
    seconds : float
        Since the grid was made.
    bakery_s : float
        Of these, in which a bakery worked (the copies of its message and state included); the rest
        is the server's.
    messages : int
        Messages that had a reply.
    """

    exchanges: int = 0
    bytes_down: int = 0
    bytes_up: int = 0
    seconds: float = 0.0
    bakery_s: float = 0.0
    messages: int = 0

    @property
    def server_s(self) -> float:
        """Seconds of the server: messages, checks, merging, opening of sums, files."""
        return self.seconds - self.bakery_s

    @property
    def payload(self) -> int:
        """Bytes both ways."""
        return self.bytes_down + self.bytes_up


class MeteredGrid(InProcessGrid):
    """Counts what goes through it.

    Parameters
    ----------
    client_app, node_configs, run_config
        As for `InProcessGrid`.
    """

    def __init__(
        self,
        client_app: ClientApp,
        node_configs: Iterable[Mapping[str, ConfigValue]],
        run_config: Mapping[str, ConfigValue],
    ) -> None:
        super().__init__(client_app, node_configs, run_config, run_id=1)
        self._start = time.perf_counter()
        self._exchanges = self._messages = self._down = self._up = 0
        self._bakery_s = 0.0

    def so_far(self) -> Spent:
        """Read the meter."""
        seconds = time.perf_counter() - self._start
        sizes = self._exchanges, self._down, self._up
        return Spent(*sizes, seconds, self._bakery_s, self._messages)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Take a batch of messages: an exchange begins."""
        batch = list(messages)
        self._exchanges += bool(batch)
        self._down += sum(payload_bytes(message.content) for message in batch)
        return super().push_messages(batch)

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Let a node work."""
        start = time.perf_counter()
        replies = super().pull_messages(message_ids)
        self._bakery_s += time.perf_counter() - start
        self._messages += len(replies)
        self._up += sum(payload_bytes(reply.content) for reply in replies if reply.has_content())
        return replies

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Do a whole exchange, as Flower's strategies ask for it; without a deadline."""
        del timeout
        ids = self.push_messages(messages)
        return [reply for message in ids for reply in self.pull_messages([message])]
