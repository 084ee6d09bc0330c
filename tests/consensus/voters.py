"""What tests of the election have at hand: a memory without a disk, and voters that have one.

A test moves messages by hand here; `simulated_voters.py` beside it loses and delays them.
"""

from __future__ import annotations

from collections.abc import Sequence

from glean.consensus.memory import Promise
from glean.consensus.messages import Message
from glean.consensus.state_version import Version
from glean.consensus.voter import Outgoing, Voter

LEASE_S = 10.0


class SavedPromise:
    """A memory as a disk is one: what was saved outlasts whoever saved it."""

    def __init__(self, promise: Promise | None = None) -> None:
        self.promise = promise or Promise()
        self.saves = 0
        self.full = False

    def load(self) -> Promise:
        return self.promise

    def save(self, promise: Promise) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.promise = promise
        self.saves += 1


def new_voter(
    name: str = "a",
    voters: Sequence[str] = "abc",
    memory: SavedPromise | None = None,
    *,
    now: float = 0.0,
    draw: float = 0.0,
    first: bool = False,
) -> Voter:
    """Make a voter whose delays are all drawn alike."""
    kept = memory or SavedPromise()
    return Voter(name, voters, kept, lease_s=LEASE_S, now=now, draw=lambda: draw, first=first)


def promised(term: int = 0, voted_for: str = "", version: tuple[int, int] = (0, 0)) -> SavedPromise:
    """What an earlier process has left."""
    return SavedPromise(Promise(term, voted_for, Version(*version)))


def answer_of(voter: Voter, message: Message, *, sender: str = "b", now: float = 0.0) -> Message:
    """The one message that a voter sends back."""
    (outgoing,) = voter.receive(sender, message, now)
    assert outgoing.receiver == sender
    return outgoing.message


def deliver(
    outgoing: Sequence[Outgoing], sender: str, voters: dict[str, Voter], now: float
) -> None:
    """Bring messages, and all that follows from them, to those who are there."""
    waiting = [(sender, item) for item in outgoing]
    while waiting:
        author, item = waiting.pop(0)
        if item.receiver in voters:
            answers = voters[item.receiver].receive(author, item.message, now)
            waiting += [(item.receiver, answer) for answer in answers]


def elect(name: str, voters: dict[str, Voter], now: float) -> None:
    """Let one of several become coordinator."""
    deliver(voters[name].tick(now), name, voters, now)
    assert voters[name].role == "coordinator"
