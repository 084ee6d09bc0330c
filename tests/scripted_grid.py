"""A grid whose nodes come, go and fall silent at given times of a clock that only pauses move."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flwr.app import ConfigRecord, Error, Message, RecordDict
from flwr.clientapp import ClientApp

from glean.federation.coordination.exchange import ClientExchange
from glean.federation.coordination.registration import INFO
from glean.federation.grids.inprocess import SERVER_NODE, InProcessGrid, as_server
from glean.federation.wire.messages import ClientInfo
from glean.runs.code_version import code_fingerprint
from glean.runs.folder import RunFolder
from tests.federations import events

NODE_UNAVAILABLE = 5
REPLY_S = 1.0


@dataclass
class ScriptedNode:
    """A node: it is online or not, and replies or doesn't."""

    info: ClientInfo
    online: bool = True
    silent: bool = False
    reply_s: float = REPLY_S


def client_info(name: str, **changes: Any) -> ClientInfo:
    """What a bakery of a deployment with nothing to remark says of itself."""
    usual: dict[str, Any] = {
        "code": code_fingerprint(),
        "partition": 0,
        "trains": True,
        "own_table": True,
        "note": "",
    }
    return ClientInfo(name, **{**usual, **changes})


class ScriptedGrid(InProcessGrid):
    """Bakeries by the numbers of their nodes; `reports_lost` as Flower's SuperLink does."""

    nodes_from_start = None  # as Flower's own grid, it doesn't say

    def __init__(self, *, reports_lost: bool = True) -> None:
        super().__init__(ClientApp(), [], {}, run_id=1)
        self.now = 0.0
        self.nodes: dict[int, ScriptedNode] = {}
        self.asked: list[tuple[str, int]] = []
        self._reports_lost = reports_lost
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._sent: dict[str, tuple[float, Message]] = {}

    def add(self, node: int, name: str, **changes: Any) -> ScriptedNode:
        """Let a node come."""
        self.nodes[node] = ScriptedNode(client_info(name, **changes))
        return self.nodes[node]

    def start(self, node: int, name: str) -> None:
        """Let a node come, with nothing to remark."""
        self.add(node, name)

    def leave(self, node: int) -> None:
        """Let a node go; what it was asked is lost."""
        self.nodes[node].online = False

    def come(self, node: int) -> None:
        """Let it come back."""
        self.nodes[node].online = True

    def at(self, time: float, happens: Callable[[], None]) -> None:
        """Let something happen later."""
        self._later.append((time, happens))

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        assert seconds > 0
        self.now += seconds
        due = [item for item in self._later if item[0] <= self.now]
        self._later = [item for item in self._later if item not in due]
        for _, happens in due:
            happens()

    def get_node_ids(self) -> list[int]:
        return [number for number, node in self.nodes.items() if node.online]

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        messages = list(messages)
        ids = []
        for message in messages:
            number = f"message {len(self.asked)}"
            self.asked.append((message.metadata.message_type, message.metadata.dst_node_id))
            vars(message.metadata)["_message_id"] = number
            self._sent[number] = (self.now, message)
            ids.append(number)
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        found = [reply for i in message_ids if (reply := self._reply(i)) is not None]
        for reply in found:
            del self._sent[reply.metadata.reply_to_message_id]
        return found

    def _reply(self, number: str) -> Message | None:
        sent_at, message = self._sent[number]
        node = self.nodes[message.metadata.dst_node_id]
        if not node.online:
            return self._lost(message) if self._reports_lost else None
        if node.silent or self.now < sent_at + node.reply_s:
            return None
        if message.metadata.message_type == INFO:
            return Message(node.info.to_record(), reply_to=message)
        return Message(RecordDict({"by": ConfigRecord({"node": 1})}), reply_to=message)

    def _lost(self, message: Message) -> Message:
        reply = Message(Error(NODE_UNAVAILABLE, "no heartbeat"), reply_to=message)
        vars(reply.metadata)["_src_node_id"] = SERVER_NODE
        return reply


@dataclass
class ScriptedExchange:
    """An exchange with the clients of a scripted grid."""

    grid: ScriptedGrid
    clients: ClientExchange

    def ask_all(self, number: int) -> set[str]:
        """Have all that are present train; who answered."""
        record = RecordDict({"task": ConfigRecord({"round": number})})
        records = dict.fromkeys(self.clients.present, record)
        return set(self.clients.ask("train", records, round_number=number))

    def details_of(self, event: str, *keys: str) -> list[tuple[Any, ...]]:
        """Round and these details of every such event."""
        found = [e for e in events(self.clients.folder) if e["event"] == event]
        return [tuple(e[key] for key in ("round", *keys)) for e in found]


@contextmanager
def scripted_exchange(
    grid: ScriptedGrid, folder: Path, *, timeout_s: float = 100.0
) -> Iterator[ScriptedExchange]:
    """Exchange messages by the clock of the grid."""
    with as_server(grid):
        clients = ClientExchange(
            grid,
            RunFolder.create(folder, run_id=1),
            timeout_s,
            clock=lambda: grid.now,
            sleep=grid.sleep,
        )
        yield ScriptedExchange(grid, clients)
