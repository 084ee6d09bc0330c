"""One of those who agree on a coordinator, and on what a majority has stored.

Raft's election (Ongaro and Ousterhout 2014, sections 5.2 and 5.4.1) with the trial votes and the
leases of Ongaro's thesis (2014, sections 9.6, 6.2 and 4.2.3). In place of a log there is one state,
which is stored whole and contains all before it; so there is nothing to be repaired at a follower.
Only versions of a coordinator's own term count as committed (section 5.4.2).

Nothing here sleeps, sends or reads a clock: time is an argument, in seconds that never go back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Literal

from glean.consensus.memory import Memory, Promise
from glean.consensus.messages import Heartbeat, HeartbeatReply, Message, VoteReply, VoteRequest
from glean.consensus.state_version import NOTHING, Version

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
        self._name = name
        self._others = tuple(sorted({*voters} - {name}))
        self._majority = (len(self._others) + 1) // 2 + 1
        self._memory = memory
        self._promise = memory.load()
        self._lease_s = lease_s
        self._draw = draw
        self.role: Role = "follower"
        self.coordinator = ""
        self._sits_out = False
        self._votes: set[str] = set()
        self._trial = False
        self._followed_until = 0.0
        """Until then a coordinator is taken for alive; 0 where none was heard."""
        self._heard: dict[str, float] = {}
        self._stored: dict[str, Version] = {}
        self._confirmed: dict[str, float] = {}
        self._sent: dict[int, float] = {}
        self._number = 0
        self._beat_at = 0.0
        self._began_at = now
        fresh = self._promise == Promise()
        self._stand_at = now if first and fresh else self._later(now)
        if not fresh:  # it may have heard a coordinator just before it was started anew
            self._followed_until = now + lease_s

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
        if self.role != "coordinator":
            return NOTHING
        found = sorted((self.version, *(self._stored.get(n, NOTHING) for n in self._others)))
        reached = found[-self._majority]
        return reached if reached.term == self.term else NOTHING

    def next_version(self) -> Version:
        """Give the version of what a coordinator stores next."""
        return Version(self.term, self.version.index + 1)

    def holds_lease(self, now: float) -> bool:
        """Whether it coordinates, and a majority has said so of late."""
        return self.role == "coordinator" and self._leased_until() > now

    def reachable(self, now: float) -> frozenset[str]:
        """Name the others that were heard of within a lease."""
        return frozenset(n for n, at in self._heard.items() if at > now - self._lease_s)

    def tick(self, now: float) -> list[Outgoing]:
        """Do what is due."""
        if self.role == "coordinator":
            if self._leased_until() <= now:
                self._become_follower(now, self.term, "")
                return []
            return self._beat(now) if now >= self._beat_at else []
        if now >= self._stand_at and not self._sits_out and now >= self._followed_until:
            return self._stand(now)
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
            return self._count_vote(sender, message, now)
        self._count_heartbeat(sender, message, now)
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
        """Note that this voter has a version on disk, of its coordinator or its own."""
        if version > self.version:
            self._save(version=version)

    def stored_by(self, sender: str, term: int, version: Version, now: float) -> None:
        """Hear that a follower of this term has a version on disk."""
        if sender not in self._others:
            return
        self._heard[sender] = now
        if term > self.term:
            self._become_follower(now, term, "")
        elif term == self.term and self.role == "coordinator":
            self._note_stored(sender, version)

    def stand_down(self, *, now: float, sit_out: bool = False) -> None:
        """Be coordinator no more, and with `sit_out` never again in this process."""
        self._sits_out |= sit_out
        if self.role != "follower":
            self._become_follower(now, self.term, "")

    def _later(self, now: float) -> float:
        return now + self._lease_s * (1 + self._draw())

    def _save(self, **changes: object) -> None:
        promise = replace(self._promise, **changes)  # type: ignore[arg-type] # its own fields
        self._memory.save(promise)
        self._promise = promise

    def _become_follower(self, now: float, term: int, coordinator: str) -> None:
        if term > self.term:
            self._save(term=term, voted_for="")
        self.role, self.coordinator = "follower", coordinator
        self._votes, self._trial = set(), False
        self._stored, self._sent = {}, {}
        self._stand_at = self._later(now)

    def _stand(self, now: float) -> list[Outgoing]:
        """Ask whether it would be elected."""
        self.role, self.coordinator = "candidate", ""
        self._trial, self._votes = True, {self._name}
        self._stand_at = now + self._lease_s * (0.5 + self._draw()) / 2
        if len(self._votes) >= self._majority:
            return self._campaign(now)
        return self._ask(trial=True)

    def _campaign(self, now: float) -> list[Outgoing]:
        """Ask for votes, in a term of its own."""
        self._save(term=self.term + 1, voted_for=self._name)
        self._trial, self._votes = False, {self._name}
        return self._won(now) if len(self._votes) >= self._majority else self._ask(trial=False)

    def _ask(self, *, trial: bool) -> list[Outgoing]:
        term = self.term + 1 if trial else self.term
        return [Outgoing(name, VoteRequest(term, self.version, trial)) for name in self._others]

    def _vote(self, candidate: str, asked: VoteRequest, now: float) -> VoteReply:
        alive = now < self._followed_until or self.holds_lease(now)
        fits = not alive and asked.version >= self.version
        if asked.trial:
            return VoteReply(self.term, fits and asked.term > self.term, trial=True)
        if alive:  # neither is its term taken over: a coordinator that lives isn't disturbed
            return VoteReply(self.term, granted=False, trial=False)
        if asked.term > self.term:
            self._become_follower(now, asked.term, "")
        granted = fits and asked.term == self.term and self._promise.voted_for in ("", candidate)
        if granted:
            if not self._promise.voted_for:
                self._save(voted_for=candidate)
            self._stand_at = self._later(now)
        return VoteReply(self.term, granted, trial=False)

    def _count_vote(self, sender: str, said: VoteReply, now: float) -> list[Outgoing]:
        if said.term > self.term and not (said.trial and said.granted):
            self._become_follower(now, said.term, "")
            return []
        wanted = self.role == "candidate" and said.trial == self._trial and said.granted
        if not wanted or (not said.trial and said.term != self.term):
            return []
        self._votes.add(sender)
        if len(self._votes) < self._majority:
            return []
        return self._campaign(now) if self._trial else self._won(now)

    def _won(self, now: float) -> list[Outgoing]:
        self.role, self.coordinator = "coordinator", self._name
        self._began_at = now
        self._stored, self._sent = {}, {}
        self._confirmed = dict.fromkeys(self._others, 0.0)
        return self._beat(now)

    def _beat(self, now: float) -> list[Outgoing]:
        self._number += 1
        self._sent[self._number] = now
        self._sent = {n: at for n, at in self._sent.items() if at > now - self._lease_s}
        self._beat_at = now + self._lease_s / HEARTBEATS_A_LEASE
        told = Heartbeat(self.term, self.committed, self._number)
        return [Outgoing(name, told) for name in self._others]

    def _count_heartbeat(self, sender: str, said: HeartbeatReply, now: float) -> None:
        if said.term > self.term:
            self._become_follower(now, said.term, "")
            return
        sent_at = self._sent.get(said.number)
        if self.role != "coordinator" or said.term != self.term or sent_at is None:
            return
        self._confirmed[sender] = max(self._confirmed[sender], sent_at)
        self._note_stored(sender, said.version)

    def _note_stored(self, sender: str, version: Version) -> None:
        """Note what a follower has, which is no more than what it was sent."""
        if version.term < self.term or version <= self.version:
            self._stored[sender] = max(version, self._stored.get(sender, NOTHING))

    def _leased_until(self) -> float:
        """Until when a majority takes this coordinator for alive.

        Counted from when the heartbeat was sent that they replied to, so that it ends before their
        lease does; in its first lease it has the votes that it was elected by.
        """
        heard = sorted([*self._confirmed.values()], reverse=True)
        needed = self._majority - 1
        if not needed:
            return float("inf")
        return max(self._began_at, heard[needed - 1]) + self._lease_s
