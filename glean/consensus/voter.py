"""One of those who agree on a coordinator, and on what a majority has stored.

Raft's election (Ongaro and Ousterhout 2014, sections 5.2 and 5.4.1) with the trial votes and the
leases of Ongaro's thesis (2014, sections 9.6, 6.2 and 4.2.3). In place of a log there is one state,
which is stored whole and contains all before it; so there is nothing to be repaired at a follower.
Only versions of a coordinator's own term count as committed (section 5.4.2).

Nothing here sleeps, sends or reads a clock: time is an argument, in seconds that never go back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Literal

from glean.consensus.follower_table import FollowerTable
from glean.consensus.memory import Memory, Promise
from glean.consensus.messages import Heartbeat, HeartbeatReply, Message, VoteReply, VoteRequest
from glean.consensus.state_version import NOTHING, Version
from glean.errors import FederationError

HEARTBEATS_A_LEASE = 5

Role = Literal["follower", "candidate", "coordinator"]


@dataclass(frozen=True)
class Outgoing:
    """A message to another voter.

    Parameters
    ----------
    receiver : str
        For whom.
    message : Message
        What is said.
    """

    receiver: str
    message: Message


class Voter:
    """A voter, for one thread at a time.

    Parameters
    ----------
    name : str
        Its name, one of the voters.
    voters : collection of str
        All who vote.
    memory : Memory
        What outlives it.
    lease_s : float
        So long nobody else is voted for once a coordinator was heard, and so long a coordinator
        goes on without a word of a majority, seconds.
    now : float
        The time.
    draw : callable
        Gives a number from 0 to 1, below 1: who stands when is left to chance.
    first : bool
        Whether it stands at once, as nobody else will.

    Raises
    ------
    FederationError
        It isn't one of those who vote.
    """

    def __init__(
        self,
        name: str,
        voters: Collection[str],
        memory: Memory,
        *,
        lease_s: float,
        now: float,
        draw: Callable[[], float],
        first: bool = False,
    ) -> None:
        if name not in voters:
            raise FederationError(f"{name!r} isn't one of those who vote")
        self._name = name
        self._others = tuple(sorted({*voters} - {name}))
        self._majority = (len(self._others) + 1) // 2 + 1
        self._memory = memory
        self._promise = memory.load()
        self._lease_s = lease_s
        self._draw = draw
        self.coordinator = ""
        self._sits_out = False
        self._votes: set[str] = set()
        self._trial = False
        self._followed_until = -math.inf
        """Until then a coordinator is taken for alive."""
        self._heard: dict[str, float] = {}
        self._followers: FollowerTable | None = None
        self._beat_at = now
        fresh = self._promise == Promise()
        self._stand_at = now if first and fresh else self._later(now)
        if not fresh:  # it may have heard a coordinator just before it was started anew
            self._followed_until = now + lease_s

    @property
    def role(self) -> Role:
        """What it is in its term."""
        if self._followers is not None:
            return "coordinator"
        return "candidate" if self._votes else "follower"

    @property
    def term(self) -> int:
        """The highest term that it has heard of."""
        return self._promise.term

    @property
    def version(self) -> Version:
        """What it has stored."""
        return self._promise.version

    @property
    def committed(self) -> Version:
        """The highest version of its own term that a majority has stored, where it coordinates."""
        return self._followers.committed(self.version) if self._followers else NOTHING

    def next_version(self) -> Version:
        """Give the version of what a coordinator stores next."""
        assert self._followers is not None, f"a {self.role} makes no versions"
        return Version(self.term, self.version.index + 1)

    def holds_lease(self, now: float) -> bool:
        """Whether it coordinates, and a majority has said so of late."""
        return self._followers is not None and self._followers.leased_until() > now

    def reachable(self, now: float) -> frozenset[str]:
        """Name the others that were heard of within a lease."""
        return frozenset(n for n, at in self._heard.items() if at > now - self._lease_s)

    def tick(self, now: float) -> list[Outgoing]:
        """Do what is due."""
        if self._followers is not None:
            if self._followers.leased_until() <= now:
                self._become_follower(now, self.term, "")
                return []
            return self._beat(self._followers, now) if now >= self._beat_at else []
        if now >= self._stand_at and not self._sits_out and now >= self._followed_until:
            return self._stand(now, trial=True)
        return []

    def receive(self, sender: str, message: Message, now: float) -> list[Outgoing]:
        """Take a message of another voter, whose name is proved."""
        if sender not in self._others:
            return []
        self._heard[sender] = now
        if isinstance(message, VoteRequest):
            return [Outgoing(sender, self._vote(sender, message, now))]
        if isinstance(message, Heartbeat):
            # Whom it doesn't follow hears of the higher term, and is coordinator no more.
            if not self.follows(sender, message.term, now) and message.term == self.term:
                return []
            told = HeartbeatReply(self.term, self.version, message.number)
            return [Outgoing(sender, told)]
        if isinstance(message, VoteReply):
            return self._take_reply(sender, message, now)
        self.stored_by(sender, message.term, message.version, now)
        if self._followers is not None and message.term == self.term:
            self._followers.replied(sender, message.number)
        return []

    def follows(self, sender: str, term: int, now: float) -> bool:
        """Whether what another says as the coordinator of a term counts; it is followed then."""
        if sender not in self._others or term < self.term:
            return False
        if term == self.term and (
            self.role == "coordinator" or self.coordinator not in ("", sender)
        ):
            return False
        self._heard[sender] = now
        if term > self.term or self.coordinator != sender:
            self._become_follower(now, term, sender)
        self._followed_until = now + self._lease_s
        self._stand_at = self._later(now)
        return True

    def stored(self, version: Version) -> None:
        """Note that this voter has a version on disk, of its coordinator or its own.

        Whoever tells a coordinator of it also tells `term`, as it is after this call: a version
        doesn't count where a later coordinator has been voted for in the meantime.
        """
        if version.term > self.term:  # by who told how it ended, or promises were lost: don't vote
            self._save(term=version.term, voted_for=self._name, version=version)
            self.coordinator, self._votes, self._followers = "", set(), None
        elif version > self.version:
            self._save(version=version)

    def stored_by(self, sender: str, term: int, version: Version, now: float) -> None:
        """Hear that a voter, now of this term, has a version on disk."""
        if sender not in self._others:
            return
        self._heard[sender] = now
        if term > self.term:
            self._become_follower(now, term, "")
        elif term == self.term and self._followers is not None:
            self._followers.note_stored(sender, version, self.version)

    def stand_down(self, *, now: float, sit_out: bool = False) -> None:
        """Be coordinator no more, and with `sit_out` never again in this process."""
        self._sits_out |= sit_out
        if self.role != "follower":
            self._become_follower(now, self.term, "")

    def _later(self, now: float) -> float:
        return now + self._lease_s * (1 + self._draw())

    def _save(self, **changes: object) -> None:
        promise = replace(self._promise, **changes)  # type: ignore[arg-type] # its own fields
        if promise != self._promise:
            self._memory.save(promise)
            self._promise = promise

    def _become_follower(self, now: float, term: int, coordinator: str) -> None:
        if term > self.term:
            self._save(term=term, voted_for="")
        self.coordinator = coordinator
        self._votes, self._followers = set(), None
        self._stand_at = self._later(now)

    def _stand(self, now: float, *, trial: bool) -> list[Outgoing]:
        """Ask for votes in a term of its own; in a trial, whether it would get them."""
        if not trial:
            self._save(term=self.term + 1, voted_for=self._name)
        self.coordinator = ""
        self._trial, self._votes = trial, set()
        self._stand_at = now + self._lease_s * (0.5 + self._draw()) / 2
        asked = VoteRequest(self.term + trial, self.version, trial)
        return [*self._to_others(asked), *self._count(self._name, now)]

    def _vote(self, candidate: str, asked: VoteRequest, now: float) -> VoteReply:
        alive = now < self._followed_until or self.holds_lease(now)
        fits = not alive and asked.version >= self.version
        if asked.trial:
            granted = fits and asked.term > self.term
            return VoteReply(asked.term if granted else self.term, granted, trial=True)
        if alive:  # neither is its term taken over: a coordinator that lives isn't disturbed
            return VoteReply(self.term, granted=False, trial=False)
        if asked.term > self.term:
            self._become_follower(now, asked.term, "")
        granted = fits and asked.term == self.term and self._promise.voted_for in ("", candidate)
        if granted:
            self._save(voted_for=candidate)
            self._become_follower(now, self.term, "")
        return VoteReply(self.term, granted, trial=False)

    def _take_reply(self, sender: str, said: VoteReply, now: float) -> list[Outgoing]:
        if said.term > self.term and not (said.trial and said.granted):
            self._become_follower(now, said.term, "")
        asked = said.trial == self._trial and said.term == self.term + self._trial
        if self.role != "candidate" or not asked or not said.granted:
            return []
        return self._count(sender, now)

    def _count(self, sender: str, now: float) -> list[Outgoing]:
        """Count a vote, and go on with a majority of them."""
        self._votes.add(sender)
        if len(self._votes) < self._majority:
            return []
        if self._trial:
            return self._stand(now, trial=False)
        self.coordinator, self._votes = self._name, set()
        self._followers = FollowerTable(
            self.term, self._others, self._majority, lease_s=self._lease_s, now=now
        )
        return self._beat(self._followers, now)

    def _beat(self, followers: FollowerTable, now: float) -> list[Outgoing]:
        self._beat_at = now + self._lease_s / HEARTBEATS_A_LEASE
        return self._to_others(Heartbeat(self.term, self.committed, followers.next_number(now)))

    def _to_others(self, message: Message) -> list[Outgoing]:
        return [Outgoing(name, message) for name in self._others]
