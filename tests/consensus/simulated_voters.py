"""Voters on a network that loses, delays, repeats, reorders and divides, and that crash.

A crash comes between two steps or while a promise is saved, before or after it is on disk; files of
a state may come long after word of it, as they do where they are large.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from glean.consensus.memory import Promise
from glean.consensus.messages import Message, message_of
from glean.consensus.state_version import Version
from glean.consensus.voter import Voter

LEASE_S = 10.0
STEP_S = 0.25

History = tuple[Version, ...]


class Killed(BaseException):  # nothing that a voter could catch
    """The process is gone."""


class Disk:
    """What outlives a voter: its promise, and the state that it has stored.

    Parameters
    ----------
    kills : callable
        Whether the process is killed now; asked before and after each promise is saved.
    """

    def __init__(self, kills: Callable[[], bool] = lambda: False) -> None:
        self.promise = Promise()
        self.history: History = ()
        self._kills = kills

    def load(self) -> Promise:
        """Give the promise, of the state that is there."""
        return self.promise

    def save(self, promise: Promise) -> None:
        """Keep it."""
        assert promise.term >= self.promise.term
        if promise.term == self.promise.term:
            assert self.promise.voted_for in ("", promise.voted_for)
        assert promise.version >= self.promise.version
        self._may_be_killed()
        self.promise = promise
        self._may_be_killed()

    def _may_be_killed(self) -> None:
        if self._kills():
            raise Killed


@dataclass(frozen=True)
class Store:
    """A coordinator has a state stored."""

    term: int
    history: History


@dataclass(frozen=True)
class Files:
    """All that a follower missed of a state that it has heard of."""

    history: History


@dataclass(frozen=True)
class Stored:
    """A follower has stored it."""

    term: int
    version: Version


Carried = Message | Store | Files | Stored


@dataclass
class Line:
    """How bad the network is.

    Parameters
    ----------
    loss, repeats : float
        Shares of messages.
    longest_s : float
        Delays are drawn up to it.
    kills : float
        Probability that a process dies while it saves, before or after.
    sides : dict of str to int
        Who is on which side of a division.
    deaf : set of str
        Who hears nobody, though others hear it.
    """

    loss: float = 0.0
    repeats: float = 0.0
    longest_s: float = 0.2
    kills: float = 0.0
    sides: dict[str, int] = field(default_factory=dict)
    deaf: set[str] = field(default_factory=set)

    def joins(self, sender: str, receiver: str) -> bool:
        """Whether one hears the other."""
        one_side = self.sides.get(sender, 0) == self.sides.get(receiver, 0)
        return one_side and receiver not in self.deaf


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
        self.line = Line()
        self.disks = {name: Disk(self._kills) for name in self.names}
        self.now = 100.0
        self.pace = {name: self.random.uniform(0.9, 1.1) for name in self.names}
        self.ahead = dict.fromkeys(self.names, 0.0)
        self.up: dict[str, Voter] = {}
        self.waiting: list[tuple[float, int, str, str, Carried]] = []
        self.elected: dict[int, str] = {}
        self.committed: History = ()
        self.late = self.random.choice((0.0, 0.5))
        """How often files come later than word of a state."""
        self._make, self._number = make, 0
        for name in self.names:
            self.start(name)

    def start(self, name: str) -> None:
        """Start a voter, from its disk: its last state may be later than it could promise."""
        disk = self.disks[name]
        self.up[name] = self._make(
            name,
            self.names,
            self.disks[name],
            lease_s=LEASE_S,
            now=self.clock(name),
            draw=self.random.random,
            first=name == self.names[0],
        )
        with self._mortal(name):
            if disk.history:
                self.up[name].stored(disk.history[-1])

    def crash(self, name: str) -> None:
        """Kill one, with what is in its memory."""
        self.up.pop(name, None)

    def clock(self, name: str) -> float:
        """The time as a voter has it: clocks don't go at one pace, and may jump forward."""
        return self.now * self.pace[name] + self.ahead[name]

    def coordinators(self) -> list[str]:
        """Those who take themselves for it."""
        return [name for name, one in self.up.items() if one.role == "coordinator"]

    def store_more(self, name: str) -> None:
        """Have a coordinator make a further state and send it to all."""
        one, disk = self.up[name], self.disks[name]
        version = one.next_version()
        disk.history = (*disk.history, version)
        with self._mortal(name):
            one.stored(version)
            for other in self.names:
                self._send(name, other, Store(one.term, disk.history))

    def step(self) -> None:
        """Let a moment go by."""
        self.now += STEP_S
        for name in list(self.up):
            self.tick(name)
        due = sorted(entry for entry in self.waiting if entry[0] <= self.now)
        self.waiting = [entry for entry in self.waiting if entry[0] > self.now]
        for _, _, sender, receiver, message in due:
            if receiver in self.up and self.line.joins(sender, receiver):
                self.deliver(sender, receiver, message)

    def tick(self, name: str) -> None:
        """Let a voter do what is due."""
        with self._mortal(name):
            for out in self.up[name].tick(self.clock(name)):
                self._send(name, out.receiver, out.message)
        self._check()

    def deliver(self, sender: str, receiver: str, message: Carried) -> None:
        """Bring a message."""
        with self._mortal(receiver):
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
            if one.follows(sender, message.term, now):
                if message.history[-1] > one.version and self.random.random() < self.late:
                    self._send(sender, receiver, Files(message.history))
                else:
                    self._store(receiver, sender, message.history)
        elif isinstance(message, Files):
            self._store(receiver, sender, message.history)
        elif isinstance(message, Stored):
            one.stored_by(sender, message.term, message.version, now)
        else:
            read = message_of(message.to_content())
            assert read == message
            for out in one.receive(sender, read, now):
                self._send(receiver, out.receiver, out.message)

    def _store(self, name: str, coordinator: str, history: History) -> None:
        """Store a state, whatever its coordinator is by now, and tell it so."""
        one, disk = self.up[name], self.disks[name]
        if history[-1] > one.version:
            disk.history = history
            one.stored(history[-1])
        self._send(name, coordinator, Stored(one.term, one.version))

    def _kills(self) -> bool:
        return self.random.random() < self.line.kills

    @contextmanager
    def _mortal(self, name: str) -> Iterator[None]:
        try:
            yield
        except Killed:
            self.crash(name)

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
