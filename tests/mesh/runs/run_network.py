"""Peers with runs in this process: what they send waits where a link is cut or its receiver away.

Their clocks go five times as fast as the machine's. What is trained is a chain of digests with a
number drawn in each round: two coordinators that made the same round would be seen at once.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from glean.errors import FederationError
from glean.mesh.live_calls import LiveCall
from glean.mesh.mesh_home import MeshHome
from glean.mesh.message_store import MeshMessage
from glean.mesh.runs.mesh_runs import MeshRuns
from glean.mesh.runs.run_carrier import RunCarrier
from glean.mesh.runs.run_conductor import Conduct
from glean.mesh.runs.run_status import RunStatus
from glean.runs.folder import RunFolder
from tests.processes import wait_until

SPEED = 5.0
LEASE_S = 2.0
ROUNDS = 5
_ATTEMPTS = 5


def fast_clock() -> float:
    """Seconds that pass five times as fast."""
    return time.monotonic() * SPEED


@dataclass(frozen=True)
class _Waiting:
    receiver: str
    message: MeshMessage
    until: float


@dataclass
class RunNetwork:
    """Who reaches whom, and what waits."""

    peers: dict[str, RunPeer] = field(default_factory=dict)
    cut: set[frozenset[str]] = field(default_factory=set)
    waiting: list[_Waiting] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    watch: Callable[[str, MeshMessage], None] = lambda _receiver, _message: None
    rounds: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    members: tuple[str, ...] = ()

    def send(self, receiver: str, message: MeshMessage, life_s: float | None) -> None:
        """Carry a message as soon as that can be."""
        if receiver not in self.peers:
            raise FederationError(f"found no peer {receiver!r}")
        until = float("inf") if life_s is None else fast_clock() + life_s
        with self.lock:
            self.waiting.append(_Waiting(receiver, message, until))
        self.deliver()

    def deliver(self) -> None:
        """Carry what can be carried now."""
        with self.lock:
            now, kept = fast_clock(), []
            for one in self.waiting:
                apart = frozenset((one.message.sender, one.receiver)) in self.cut
                peer = self.peers[one.receiver]
                sender = self.peers.get(one.message.sender)
                if one.until < now:
                    continue
                if apart or not peer.up or (sender is not None and not sender.up):
                    kept.append(one)
                    continue
                self.watch(one.receiver, one.message)
                peer.come.append(one.message)
                peer.there.set()
            self.waiting = kept

    def part(self, *group: str) -> None:
        """Cut these off from all others."""
        self.cut |= {frozenset((a, b)) for a in group for b in self.peers if b not in group}

    def heal(self) -> None:
        """Let all reach all."""
        self.cut.clear()
        self.deliver()

    def note_round(self, key: str, number: int, model: str) -> None:
        """Note which model a client was told of that a round ended with."""
        with self.lock:
            self.rounds.setdefault((key, number), set()).add(model)


class RunPeer:
    """A peer: its home stays when it is killed."""

    def __init__(self, network: RunNetwork, folder: Path, name: str) -> None:
        self.network, self.name = network, name
        self.home = MeshHome(folder / name)
        self.home.path.mkdir(parents=True)
        self.up = False
        self.come: deque[MeshMessage] = deque()
        self.there = threading.Event()
        self.failed: list[str] = []
        self.conduct: Conduct | None = self.train
        self.runs: MeshRuns
        self.handlers: dict[str, Callable[[MeshMessage], None]] = {}
        self.pause: Callable[[str, int], None] = lambda _name, _number: None
        self.asked = 0

    def send(
        self,
        peer_name: str,
        kind: str,
        body: bytes,
        message_id: str | None = None,
        life_s: float | None = None,
    ) -> str:
        """Send as a node does; a killed one sends nothing."""
        name = message_id or secrets.token_hex(8)
        if self.up:
            self.network.send(peer_name, MeshMessage(self.name, kind, name, body), life_s)
        return name

    def on(self, kind: str, handler: Callable[[MeshMessage], None]) -> None:
        """Say what handles messages of a kind."""
        self.handlers[kind] = handler

    def begin(self, *, hosts: bool = True) -> None:
        """Start, from its home alone."""
        self.handlers = {}
        self.runs = MeshRuns(
            self.home,
            _Life(self),
            own=self.name,
            members=lambda: self.network.members,
            conduct=self.conduct,
            clock=fast_clock,
        )
        self.up = True
        self.runs.start()
        threading.Thread(target=self._handle, args=(self.runs,), daemon=True).start()
        if hosts:
            threading.Thread(target=answer, args=(self, self.runs), daemon=True).start()
        self.network.deliver()

    def kill(self) -> None:
        """End without a word; what came and wasn't handled stays, as in a node's files."""
        self.up = False
        self.runs.close()

    def status(self, key: str) -> RunStatus:
        """How it says that a run stands."""
        found = {one.key: one for one in self.runs.statuses()}
        return found.get(key, RunStatus(key, "unknown"))

    def train(self, carrier: RunCarrier) -> Path:
        """Do what a ServerApp does: some rounds, each with all who are there."""
        carrier.announce(json.dumps({"run_id": 1 + secrets.randbelow(2**40)}).encode())
        folder = RunFolder.create(carrier.results, run_id=7, facts={"status": "running"}).path
        done, model = 0, ""
        if carrier.resume is not None:
            for path in sorted(carrier.resume.rglob("*.*")):
                if path.is_file() and path.name != "run.json":
                    (folder / path.relative_to(carrier.resume)).write_bytes(path.read_bytes())
            if (folder / "rounds.csv").exists():
                done = len((folder / "rounds.csv").read_text().splitlines()) - 1
                model = (folder / "models" / f"round_{done:03d}.ubj").read_text()
        for number in range(done + 1, ROUNDS + 1):
            self._round(carrier, number, model)
            self.pause(self.name, number)
            model = hashlib.sha256(f"{model} {number} {secrets.token_hex(8)}".encode()).hexdigest()
            run = RunFolder(folder)
            run.write_bytes(f"models/round_{number:03d}.ubj", model.encode())
            run.add_rows("rounds.csv", ("round",), [{"round": number}])
        RunFolder(folder).write_bytes("model.ubj", model.encode())
        RunFolder(folder).write_run({"status": "completed"})
        return folder

    def _round(self, carrier: RunCarrier, number: int, model: str) -> None:
        deadline = time.monotonic() + 30.0
        fewest = min(2, len(carrier.plan.participants))
        while len(there := carrier.present()) < fewest and time.monotonic() < deadline:
            carrier.receive(0.02)
        asked = set()
        for name in there:
            message_id = secrets.token_hex(8)
            body = json.dumps([carrier.plan.key, number - 1, model])
            carrier.send(name, message_id, body.encode())
            asked.add(message_id)
        came: set[str] = set()
        while 2 * len(came) <= len(carrier.plan.participants) and time.monotonic() < deadline:
            came |= {reply.reply_to for reply in carrier.receive(0.05)} & asked

    def _handle(self, runs: MeshRuns) -> None:
        attempts = 0
        while self.up and self.runs is runs:
            self.there.wait(0.02)
            self.there.clear()
            self.network.deliver()
            while self.come and self.up and self.runs is runs:
                message = self.come[0]
                try:
                    self.handlers[message.kind](message)
                except Exception as error:  # noqa: BLE001 # as a node's: it is tried again
                    attempts += 1
                    if attempts < _ATTEMPTS and self.up:
                        continue
                    if not self.up:
                        return
                    self.failed.append(f"{message.kind}: {error!r}")
                attempts = 0
                self.come.popleft()


def answer(peer: RunPeer, runs: MeshRuns) -> None:
    """Be a peer's client, until that is down."""
    client = runs.client()
    while peer.up and peer.runs is runs:
        client.heartbeat()
        for run_id, message_id, body in client.receive(0.05):
            key, number, model = json.loads(body)
            if number:
                peer.network.note_round(key, number, model)
            peer.asked += 1
            with suppress(FederationError):
                client.reply(run_id, message_id, hashlib.sha256(body).digest())


class _Life:
    """A node of one start of a peer: what a killed one still wants to send doesn't go."""

    def __init__(self, peer: RunPeer) -> None:
        self._peer, self.on = peer, peer.on

    def tell(self, _peer_name: str, _kind: str, _body: bytes) -> bool:
        """Have nobody connected: what is said waits as messages do."""
        return False

    def on_tell(self, _kind: str, _handler: Callable[[LiveCall], None]) -> None:
        """Tell nothing."""

    def send(
        self,
        peer_name: str,
        kind: str,
        body: bytes,
        message_id: str | None = None,
        life_s: float | None = None,
    ) -> str:
        mine = getattr(getattr(self._peer, "runs", None), "_node", self) is self
        if not mine:
            return ""
        return self._peer.send(peer_name, kind, body, message_id, life_s)


@contextmanager
def run_peers(folder: Path, *names: str) -> Iterator[RunNetwork]:
    """Peers that are up, and reach each other."""
    network = RunNetwork()
    network.members = names
    network.peers = {name: RunPeer(network, folder, name) for name in names}
    for peer in network.peers.values():
        peer.begin()
    try:
        yield network
    finally:
        for peer in network.peers.values():
            if peer.up:
                peer.kill()


def all_say(network: RunNetwork, key: str, state: str, *names: str, limit_s: float = 40.0) -> None:
    """Wait until these, or all, say that a run stands so."""
    whom = [network.peers[name] for name in names or network.peers]

    def found() -> Mapping[str, str]:
        return {peer.name: peer.status(key).state for peer in whom}

    wait_until(lambda: set(found().values()) == {state}, f"{state} at all", limit_s=limit_s)


def final_models(network: RunNetwork, key: str) -> set[bytes]:
    """The final models that peers have."""
    folders = [peer.status(key).folder for peer in network.peers.values()]
    return {(Path(folder) / "model.ubj").read_bytes() for folder in folders}
