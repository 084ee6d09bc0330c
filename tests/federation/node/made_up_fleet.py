"""A server without a network, and a node of its that is interrupted when all is answered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from flwr.app import ConfigRecord, Message, RecordDict
from flwr.clientapp import ClientApp

from glean.federation.grids.flower_internals import identity, number_message
from glean.federation.node.fleet import Head, Reply, RunFacts
from glean.federation.node.lasting_node import LastingNode
from glean.federation.node.node_memory import NodeMemory
from glean.federation.node.release_check import InstalledApp
from glean.federation.node.run_hosts import RunHosts
from glean.federation.node.server_errors import MessageLostError, NotAdmittedError

NODE, RUN = 7, 5
INSTALLED = InstalledApp("glean/glean", "0.1.0")


class MadeUpFleet:
    """Hands out messages and takes replies; `fails` are raised by its next calls, in turn."""

    def __init__(self) -> None:
        self.facts = RunFacts(RUN, "glean/glean", "0.1.0", {"seed": 3})
        self.calls: list[str] = []
        self.replies: list[Message] = []
        self.again: list[bool] = []
        self._packed: list[Message] = []
        self.fails: dict[str, deque[BaseException]] = {}
        self.admits = True
        self._messages: deque[Message] = deque()
        self._handed: dict[bytes, Message] = {}

    def ask(self, *, run_id: int = RUN, value: int = 1, kind: str = "query") -> None:
        """Have a message wait for the node."""
        with identity(run_id, 1):
            content = RecordDict({"c": ConfigRecord({"value": value})})
            message = Message(content, NODE, kind, group_id="1")
        self._handed[number_message(message).encode()] = message
        self._messages.append(message)

    def fail(self, call: str, *errors: BaseException) -> None:
        """Have the next calls of a name fail."""
        self.fails[call] = deque(errors)

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.fails.get(name):
            raise self.fails[name].popleft()

    def activate(self) -> int:
        self._called("activate")
        if not self.admits:
            raise NotAdmittedError("Failed to activate SuperNode.")
        return NODE

    def deactivate(self, node_id: int) -> None:
        assert node_id == NODE
        self._called("deactivate")

    def heartbeat(self, node_id: int) -> bool:
        self._called("heartbeat")
        return node_id == NODE

    def pull(self, node_id: int) -> Head | None:
        assert node_id == NODE
        self._called("pull")
        if not self._messages:
            return None
        metadata = self._messages.popleft().metadata
        return Head(NODE, metadata.run_id, metadata.message_id.encode())

    def run_facts(self, node_id: int, run_id: int) -> RunFacts:
        assert node_id == NODE
        self._called("run_facts")
        return replace(self.facts, run_id=run_id)

    def fetch(self, head: Head) -> Message:
        self._called("fetch")
        return self.bare(head)

    def bare(self, head: Head) -> Message:
        if head.content not in self._handed:
            raise MessageLostError("nobody knows that message")
        return self._handed[head.content]

    def pack(self, reply: Message) -> Reply:
        self._packed.append(reply)
        head = str(len(self._packed) - 1).encode()
        return Reply(NODE, reply.metadata.run_id, head, b"tree", {"part": b"content"})

    def send(self, reply: Reply, *, seconds: float, again: bool = False) -> None:
        assert seconds >= 0.0
        self._called("send")
        self.again.append(again)
        if reply.head.isdigit():
            self.replies.append(self._packed[int(reply.head)])

    def close(self) -> None:
        self._called("close")


def memory_in(home: Path, *, server: str = "there:443", key: str = "key") -> NodeMemory:
    home.mkdir(exist_ok=True)
    return NodeMemory(home, server, key)


def run_node(
    fleet: MadeUpFleet,
    app: ClientApp,
    home: Path,
    *,
    looks: int = 3,
    forget: Callable[[], None] = lambda: None,
) -> list[float]:
    """Run a node until it has slept so many times; the pauses."""
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) >= looks:
            raise KeyboardInterrupt

    hosts = RunHosts(
        app,
        INSTALLED,
        node_config={"bakery": "Hafen", "partition-id": 0},
        run_config={"seed": 1, "rounds": 2},
        forget=forget,
    )
    clock = iter(range(10**9))
    node = LastingNode(
        fleet, hosts, memory_in(home), sleep=sleep, clock=lambda: float(next(clock)) / 100
    )
    with suppress(KeyboardInterrupt):
        node.run()
    return pauses
