"""One run at one peer: it votes, stores versions, has tasks for its client, or coordinates.

It has no thread: handlers of messages, the thread that drives all runs, and that of a ServerApp
call it, each with its lock. What is to be sent is given back, and is sent without the lock.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from glean.consensus.voter import Outgoing, Voter
from glean.mesh.runs.promise_file import PromiseFile
from glean.mesh.runs.replica import StoredVersion
from glean.mesh.runs.run_ending import RunEnding
from glean.mesh.runs.run_home import RunHome
from glean.mesh.runs.run_messages import (
    ASK,
    CONSENSUS,
    REPLY,
    RunMessage,
)
from glean.mesh.runs.run_node import Outbound
from glean.mesh.runs.run_plan import RunPlan
from glean.mesh.runs.run_versions import RunVersions
from glean.mesh.runs.task_inbox import RunTask, TaskInbox

LOG = logging.getLogger(__name__)

PRESENT_LEASES, PRESENT_S = 0.6, 30.0
"""Three heartbeats, and half a minute as on other transports: who wasn't heard of for longer isn't
taken for present. A bakery that is started anew is back before."""

CONTENTS_LEASES = 10.0
"""So long messages with versions are worth sending, and a participant waits for contents."""

STALLED_LEASES = 20.0
"""So long a run may wait for a majority until another one has its turn."""

REPLY_S = 3600.0


class Replies(Protocol):
    """What takes replies to the coordinator's tasks."""

    def take(self, sender: str, message: RunMessage) -> None:
        """Take one."""


@dataclass
class Standing:
    """How a peer takes part in a run at a time.

    Parameters
    ----------
    active : bool
        Whether this is the run that it stands for and whose tasks it does.
    listens : bool
        Whether it votes and stores: not while another run goes on here.
    hosts : bool
        Whether it hosts a client.
    unable : str
        Why it can't coordinate, "" where it can.
    """

    active: bool = False
    listens: bool = True
    hosts: bool = False
    unable: str = ""


class RunMember:
    """A run at this peer.

    Parameters
    ----------
    home : RunHome
        Its files, with its plan.
    plan : RunPlan
        The plan.
    own : str
        This peer's name.
    clock : callable
        Gives seconds that never go back.
    draw : callable
        Gives a number from 0 to 1, below 1.
    first : bool
        Whether it was proposed just now, and here.

    Attributes
    ----------
    changed : threading.Condition
        Its lock, held by whoever calls a method, and told of what has changed.
    stalled : bool
        Whether nobody has coordinated it for long though it was its turn: others go first then.

    Raises
    ------
    LocalFailureError
        Its files can't be read.
    """

    def __init__(
        self,
        home: RunHome,
        plan: RunPlan,
        *,
        own: str,
        clock: Callable[[], float],
        draw: Callable[[], float],
        first: bool = False,
    ) -> None:
        self.home, self.plan, self.own = home, plan, own
        self.changed = threading.Condition()
        self.standing = Standing()
        self.contents_s = CONTENTS_LEASES * plan.lease_s
        self.versions = RunVersions(home.replica, plan.key, ask_again_s=self.contents_s)
        self.tasks = TaskInbox(home.tasks, plan.key)
        self.ending = RunEnding(home, plan, self.versions)
        self.cancelled = home.cancelled
        self.announcement: tuple[int, bytes] = (0, b"")
        self.replies: Replies | None = None
        self.stalled = False
        self._waits_since = clock()
        self._clock = clock
        self._hosts: dict[str, float] = {}
        self._asked = 0
        self.voter = Voter(
            own,
            plan.participants,
            PromiseFile(home.promise),
            lease_s=plan.lease_s,
            now=clock(),
            draw=draw,
            first=first,
        )
        self.voter.stored(self.versions.stored.version)

    @property
    def others(self) -> tuple[str, ...]:
        """All participants but this one."""
        return tuple(name for name in self.plan.participants if name != self.own)

    @property
    def coordinator(self) -> str:
        """Who coordinates, as far as was heard within a lease; "" where nobody is known to."""
        now, name = self._clock(), self.voter.coordinator
        there = name == self.own or name in self.voter.reachable(now)
        return name if there and not self.over else ""

    @property
    def over(self) -> bool:
        """Whether it has ended, though files of it may still be missing here."""
        return self.ending.heard

    def present(self) -> list[str]:
        """Participants that host a client and were heard of of late, in text order."""
        since = self._clock() - max(PRESENT_S, PRESENT_LEASES * self.plan.lease_s)
        found = {name for name, at in self._hosts.items() if at > since}
        return sorted(found | ({self.own} if self.standing.hosts else set()))

    def place(self, standing: Standing, *, mine: bool) -> None:
        """Say how this peer takes part from now on, and whether it is this run's turn."""
        self.standing = standing
        now = self._clock()
        if self.coordinator:
            self.stalled = False
        if self.coordinator or not mine:
            self._waits_since = now
        elif now - self._waits_since > STALLED_LEASES * self.plan.lease_s:
            self.stalled = True

    def coordinates(self, term: int) -> bool:
        """Whether this peer is the coordinator of a term, and a majority has said so of late."""
        mine = self.voter.term == term and self.voter.holds_lease(self._clock())
        return mine and self.standing.active and not self.over

    def tick(self) -> list[Outbound]:
        """Do what is due.

        Raises
        ------
        OSError, LocalFailureError
            What has to be kept can't be; it is tried again.
        """
        now = self._clock()
        found = self.ask(now)
        if self.over:
            self.ending.close()
            return found
        if self.standing.active:
            found += self.said(self.voter.tick(now))
        elif self.voter.role != "follower":
            self.voter.stand_down(now=now)
        self.fence()
        self.changed.notify_all()
        return found

    def keep(self, stored: StoredVersion, contents: dict[str, bytes]) -> list[Outbound]:
        """Store a version as coordinator; what tells the others of it."""
        term = self.voter.term
        self.versions.offer(stored, contents.values(), sender=self.own, term=term)
        self.voter.stored(stored.version)
        there = self.voter.reachable(self._clock())
        message = self.versions.store_message(term, contents)
        return [Outbound(name, message, self.contents_s) for name in self.others if name in there]

    def finish(self) -> list[Outbound]:
        """Note that the version stored here is the run's last; what tells the others of it."""
        self.ending.heard = True
        self.changed.notify_all()
        return [Outbound(name, self.end_message()) for name in self.others]

    def put_task(self, task: RunTask) -> None:
        """Keep a task for this peer's client."""
        self.announcement = task.term, task.announcement
        self.tasks.put(task)
        self.changed.notify_all()

    def waiting_task(self) -> RunTask | None:
        """Give the oldest task for this peer's client that is to be answered."""
        return None if self.over or self.cancelled else self.tasks.first(self.voter.term)

    def answered(self, task: RunTask, body: bytes) -> list[Outbound]:
        """Answer a task; it is to be forgotten once that is sent."""
        head = {"term": task.term, "message": task.message_id}
        reply = RunMessage(REPLY, self.plan.key, head, (body,))
        if task.sender != self.own:
            return [Outbound(task.sender, reply, REPLY_S)]
        if self.replies is not None:
            self.replies.take(self.own, reply)
            self.changed.notify_all()
        return []

    def heard_of(self, name: str, *, hosts: bool) -> None:
        """Note that a participant is there, and whether it hosts a client.

        One whose client has gone counts as present for a while still: most that end are started
        anew, and a masked sum that is begun without one of its bakeries may not be taken again.
        """
        if hosts:
            self._hosts[name] = self._clock()

    def cancel(self) -> None:
        """Note that it is to end, as its proposer wants it."""
        if not self.over and not self.cancelled:
            self.home.note_cancelled()
            self.cancelled = True
            self.changed.notify_all()

    def ask(self, now: float) -> list[Outbound]:
        """Ask for what is still missing of a version: who told of it, later others too."""
        missing = self.versions.to_ask(now)
        if not missing:
            return []
        first = self.versions.pending_from
        near = sorted(self.voter.reachable(now) - {first})
        whom = [first, *near][self._asked % (1 + len(near))]
        self._asked += 1
        asked = RunMessage(ASK, self.plan.key, {"plan": False, "missing": missing})
        return [Outbound(whom, asked, self.contents_s)]

    def said(self, outgoing: list[Outgoing]) -> list[Outbound]:
        """Write what is said in an election."""
        found = []
        for one in outgoing:
            head = {"said": one.message.to_content(), "hosts": self.standing.hosts}
            message = RunMessage(CONSENSUS, self.plan.key, head)
            found.append(Outbound(one.receiver, message, self.plan.lease_s))
        return found

    def end_message(self) -> RunMessage:
        """Write how the run ended."""
        return self.versions.end_message(self.plan.to_bytes())

    def fence(self) -> None:
        """Forget what earlier coordinators have said."""
        term = self.voter.term
        if not self.over and self.versions.pending_term < term:
            self.versions.pending = None
        if self.announcement[0] != term:
            waiting = self.tasks.first(term)
            self.announcement = (term, waiting.announcement if waiting else b"")
        self.tasks.forget_before(term)
