"""Voters on a network that loses, delays, repeats, reorders and divides, and that crash."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from glean.consensus.memory import Promise
from glean.consensus.messages import Message, message_of
from glean.consensus.state_version import Version
from glean.consensus.voter import Voter

LEASE_S = 10.0
STEP_S = 0.25

History = tuple[Version, ...]


class Disk:
    """What outlives a voter: its promise, and the state that it has stored."""

    def __init__(self) -> None:
        self.promise = Promise()
        self.history: History = ()

    def load(self) -> Promise:
        """Give the promise, of the state that is there."""
        return self.promise

    def save(self, promise: Promise) -> None:
        """Keep it."""
        assert promise.term >= self.promise.term
        if promise.term == self.promise.term:
            assert self.promise.voted_for in ("", promise.voted_for)
        self.promise = promise


@dataclass(frozen=True)
class Store:
    """A coordinator has a state stored."""

    term: int
    history: History


@dataclass(frozen=True)
class Stored:
    """A follower has stored it."""

    term: int
    version: Version


Carried = Message | Store | Stored


@dataclass
class Line:
    """How bad the network is.

    Parameters
    ----------
    loss, repeats : float
        Shares of messages.
    longest_s : float
        Delays are drawn up to it.
    """

    loss: float = 0.0
    repeats: float = 0.0
    longest_s: float = 0.2
    sides: dict[str, int] = field(default_factory=dict)

    def joins(self, one: str, other: str) -> bool:
        """Whether two are on one side."""
        return self.sides.get(one, 0) == self.sides.get(other, 0)


class Simulation:
    """Some voters, and what must hold of them after each step.

    Parameters
    ----------
    size : int
        How many.
    seed : int
        Of all draws.
    make : callable
        Makes a voter; a defect is put in there.
    """

    def __init__(self, size: int, seed: int, make: Callable[..., Voter] = Voter) -> None:
        self.random = random.Random(seed)  # noqa: S311 # a test's draws
        self.names = [f"p{number}" for number in range(size)]
        self.disks = {name: Disk() for name in self.names}
        self.line = Line()
        self.now = 100.0
        self.pace = {name: self.random.uniform(0.9, 1.1) for name in self.names}
        self.up: dict[str, Voter] = {}
        self.waiting: list[tuple[float, int, str, str, Carried]] = []
        self.elected: dict[int, str] = {}
        self.committed: History = ()
        self._make, self._number = make, 0
        for name in self.names:
            self.start(name)

    def start(self, name: str) -> None:
        """Start a voter, from its disk."""
        self.up[name] = self._make(
            name,
            self.names,
            self.disks[name],
            lease_s=LEASE_S,
            now=self.clock(name),
            draw=self.random.random,
            first=name == self.names[0],
        )

    def crash(self, name: str) -> None:
        """Kill one, with what is in its memory."""
        self.up.pop(name, None)

    def clock(self, name: str) -> float:
        """The time as a voter has it: clocks don't go at one pace."""
        return self.now * self.pace[name]

    def coordinators(self) -> list[str]:
        """Those who take themselves for it."""
        return [name for name, one in self.up.items() if one.role == "coordinator"]

    def store_more(self, name: str) -> None:
        """Have a coordinator make a further state and send it to all."""
        one, disk = self.up[name], self.disks[name]
        version = one.next_version()
        disk.history = (*disk.history, version)
        one.stored(version)
        for other in self.names:
            self._send(name, other, Store(one.term, disk.history))

    def step(self) -> None:
        """Let a moment go by."""
        self.now += STEP_S
        for name, one in list(self.up.items()):
            for out in one.tick(self.clock(name)):
                self._send(name, out.receiver, out.message)
            self._check()
        due = sorted(entry for entry in self.waiting if entry[0] <= self.now)
        self.waiting = [entry for entry in self.waiting if entry[0] > self.now]
        for _, _, sender, receiver, message in due:
            if receiver in self.up and self.line.joins(sender, receiver):
                self._deliver(sender, receiver, message)
                self._check()

    def run(self, seconds: float, *, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time go by; whether `until` came to hold."""
        end = self.now + seconds
        while self.now < end and not until():
            self.step()
        return until()

    def _send(self, sender: str, receiver: str, message: Carried) -> None:
        if sender == receiver:
            return
        for _ in range(1 + (self.random.random() < self.line.repeats)):
            if self.random.random() >= self.line.loss:
                self._number += 1
                at = self.now + self.random.uniform(0, self.line.longest_s)
                self.waiting.append((at, self._number, sender, receiver, message))

    def _deliver(self, sender: str, receiver: str, message: Carried) -> None:
        one, now = self.up[receiver], self.clock(receiver)
        if isinstance(message, Store):
            disk, version = self.disks[receiver], message.history[-1]
            if one.follows(sender, message.term, now):
                if version > one.version:
                    disk.history = message.history
                    one.stored(version)
                if version in disk.history:
                    self._send(receiver, sender, Stored(message.term, version))
        elif isinstance(message, Stored):
            one.stored_by(sender, message.term, message.version, now)
        else:
            read = message_of(message.to_content())
            assert read == message
            for out in one.receive(sender, read, now):
                self._send(receiver, out.receiver, out.message)

    def _check(self) -> None:
        """Hold what must: Raft's election safety, leader completeness and state machine safety."""
        for name in self.coordinators():
            one, disk = self.up[name], self.disks[name]
            assert self.elected.setdefault(one.term, name) == name, "two of one term"
            # An older one may not have heard yet that it isn't any more; it commits nothing.
            if one.term == max(self.elected):
                assert disk.history[: len(self.committed)] == self.committed, "a committed one lost"
            if one.committed.term:
                reached = disk.history[: disk.history.index(one.committed) + 1]
                longer, shorter = sorted((reached, self.committed), key=len, reverse=True)
                assert longer[: len(shorter)] == shorter, "two committed histories"
                self.committed = longer
