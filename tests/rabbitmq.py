"""A real RabbitMQ on this machine: a node and its epmd, on loopback and free ports.

Both run in a scratch folder, under a name and a cookie of their own: a node of the machine's is
neither used nor disturbed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from glean.broker import topology
from glean.operations.development.rabbitmq_server import SCRIPT, own_node
from tests import processes

if TYPE_CHECKING:
    from pika import BasicProperties
    from pika.adapters.blocking_connection import BlockingChannel

START_LIMIT_S = 90.0
_ENDING_S = 20.0


def why_not() -> str | None:
    """Give the reason why no RabbitMQ can be started here, None where one can."""
    missing = [str(SCRIPT)] if not SCRIPT.is_file() else []
    missing += [name for name in ("epmd", "erl") if shutil.which(name) is None]
    if not missing:
        return None
    return f"{', '.join(missing)} missing (Debian: apt-get install rabbitmq-server)"


@dataclass(frozen=True)
class Received:
    """A message as a consumer sees it."""

    routing_key: str
    properties: BasicProperties
    body: bytes


@dataclass
class RabbitMQ:
    """A RabbitMQ that can be killed and brought back.

    Parameters
    ----------
    folder : Path
        Its messages, logs, home and cookie.
    port, node_port, epmd_port : int
        Where it listens for AMQP and for other nodes, and its epmd.
    """

    folder: Path
    port: int = field(default_factory=processes.free_port)
    node_port: int = field(default_factory=processes.free_port)
    epmd_port: int = field(default_factory=processes.free_port)

    def __post_init__(self) -> None:
        (self.folder / "home").mkdir(parents=True)
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        """Where programs reach it."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start it, on what it kept, unless it runs; wait until it takes connections."""
        if "node" in self._started:
            return
        if "epmd" not in self._started:
            # Before the node, which would start one that outlives it.
            self._run("epmd", "epmd", "-port", str(self.epmd_port), "-address", "127.0.0.1")
            processes.wait_until(
                lambda: processes.takes_connections(self.epmd_port), "epmd", limit_s=START_LIMIT_S
            )
        node = self._run("node", str(SCRIPT))
        processes.wait_until(
            lambda: processes.takes_connections(self.port) or node.poll() is not None,
            "RabbitMQ",
            limit_s=START_LIMIT_S,
        )
        assert node.poll() is None, self.log()

    def kill(self) -> None:
        """End the node as `kill -9` does."""
        self._end("node", by_force=True)

    def forget(self) -> None:
        """Take away what Glean made in it."""
        with self.channel() as channel:
            for queue in (topology.RUNS, topology.DEAD_RUNS):
                channel.queue_delete(queue)
            for exchange in (topology.RUNS, topology.EVENTS, topology.DEAD):
                channel.exchange_delete(exchange)

    def subscribe(self, topic: str = "glean.run.#") -> str:
        """Have a queue that outlives a kill keep the events of a topic; its name."""
        queue = f"events-{uuid.uuid4().hex}"
        with self.channel() as channel:
            topology.declare(channel)
            channel.queue_declare(queue, durable=True)
            channel.queue_bind(queue, topology.EVENTS, topic)
        return queue

    def drain(self, queue: str) -> list[Received]:
        """Take all messages that wait in a queue."""
        found: list[Received] = []
        with self.channel() as channel:
            while True:
                method, properties, body = channel.basic_get(queue, auto_ack=True)
                if method is None or properties is None or body is None:
                    return found
                found.append(Received(str(method.routing_key), properties, body))

    def put(self, queue: str, body: bytes) -> None:
        """Put a message into a queue, as anybody could."""
        with self.channel() as channel:
            channel.basic_publish("", queue, body)

    def waiting(self, queue: str) -> int:
        """Count the messages that wait in a queue."""
        with self.channel() as channel:
            return channel.queue_declare(queue, passive=True).method.message_count

    def has(self, queue: str) -> bool:
        """Whether there is such a queue."""
        from pika.exceptions import ChannelClosedByBroker

        try:
            self.waiting(queue)
        except ChannelClosedByBroker:
            return False
        return True

    @contextmanager
    def channel(self) -> Iterator[BlockingChannel]:
        """Give a channel of a connection of its own."""
        import pika

        connection = pika.BlockingConnection(pika.URLParameters(self.url))
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()

    def suspend(self) -> None:
        """Have the node say nothing any more, while its connections stay; `kill` ends it."""
        self._started["node"].send_signal(signal.SIGSTOP)

    def close(self) -> None:
        """End node and epmd, each by its process id."""
        self._end("node", by_force=True)  # nobody needs what it keeps any more
        self._end("epmd", by_force=False)

    def log(self) -> str:
        """Give the end of what the node said."""
        return (self.folder / "node.log").read_text(encoding="utf-8", errors="replace")[-3000:]

    def _run(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as output:
            process = subprocess.Popen(
                words,
                cwd=self.folder,
                env={**os.environ, **self._environment()},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._started[name] = process
        return process

    def _end(self, name: str, *, by_force: bool) -> None:
        process = self._started.pop(name, None)
        if process is None:
            return
        # Erlang's little programs beside the node end with it; to be sure that they have.
        beside = psutil.Process(process.pid).children(recursive=True) if _lives(process) else []
        if by_force:
            process.kill()
        else:
            process.terminate()
        process.wait(_ENDING_S)
        _, left = psutil.wait_procs(beside, timeout=_ENDING_S)
        processes.end(left)

    def _environment(self) -> dict[str, str]:
        ports = {"port": self.port, "node_port": self.node_port, "epmd_port": self.epmd_port}
        return {"HOME": str(self.folder / "home"), **own_node(self.folder, "glean", **ports)}


@contextmanager
def rabbitmq(folder: Path) -> Iterator[RabbitMQ]:
    """Start a RabbitMQ in an empty folder; end it and its epmd afterwards."""
    server = RabbitMQ(folder)
    try:
        server.start()
        yield server
    finally:
        server.close()


def _lives(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is None
