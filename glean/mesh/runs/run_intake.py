"""What a participant does with what others say of a run; from whom it is, is proved.

A message of a coordinator counts only in its own term, as long as no higher one is known.
"""

from __future__ import annotations

from collections.abc import Callable

from glean.consensus.messages import HeartbeatReply, message_of
from glean.errors import FederationError
from glean.mesh.runs.run_member import RunMember
from glean.mesh.runs.run_messages import (
    ASK,
    CANCEL,
    CONSENSUS,
    END,
    FILES,
    PLAN,
    REPLY,
    STORE,
    STORED,
    TASK,
    RunMessage,
    version_content,
)
from glean.mesh.runs.run_node import Outbound
from glean.mesh.runs.run_versions import offered_version
from glean.mesh.runs.task_inbox import RunTask


class RunIntake:
    """Takes messages of a run.

    Parameters
    ----------
    member : RunMember
        The run, whose lock is held by whoever calls.
    clock : callable
        Gives seconds that never go back.
    """

    def __init__(self, member: RunMember, *, clock: Callable[[], float]) -> None:
        self._member, self._clock = member, clock
        self._handlers: dict[str, Callable[[str, RunMessage], list[Outbound]]] = {
            CONSENSUS: self._take_consensus,
            PLAN: lambda _sender, _message: [],
            STORE: self._take_store,
            STORED: self._take_stored,
            FILES: self._take_files,
            ASK: self._take_ask,
            TASK: self._take_task,
            REPLY: self._take_reply,
            END: self._take_end,
            CANCEL: self._take_cancel,
        }

    def take(self, sender: str, message: RunMessage) -> list[Outbound]:
        """Take a message; from whom is proved.

        Raises
        ------
        FederationError
            It isn't one that this sender may send, or says nothing that can be.
        OSError
            What has to be kept can't be.
        """
        member = self._member
        if sender not in member.others:
            raise FederationError(f"{message.kind}: {sender!r:.80} doesn't take part in this run")
        found = self._handlers[message.kind](sender, message)
        member.fence()
        member.changed.notify_all()
        return found

    def _take_consensus(self, sender: str, message: RunMessage) -> list[Outbound]:
        member = self._member
        now = self._clock()
        if member.over:
            tells = member.ending.ended is not None and member.ending.may_tell(sender, now)
            return [Outbound(sender, member.end_message(), member.contents_s)] if tells else []
        if not member.standing.listens:
            return []
        member.heard_of(sender, hosts=message.flag("hosts"))
        said = message_of(message.head.get("said"))
        found = member.said(member.voter.receive(sender, said, now))
        behind = isinstance(said, HeartbeatReply) and said.version < member.voter.version
        if behind and member.voter.role == "coordinator":
            offer = member.versions.store_message(member.voter.term, {})
            found.append(Outbound(sender, offer, member.plan.lease_s))
        return found

    def _take_store(self, sender: str, message: RunMessage) -> list[Outbound]:
        member = self._member
        offered, now = offered_version(message), self._clock()
        if member.over or not member.standing.listens:
            return []
        if not member.voter.follows(sender, message.number("term"), now):
            return []
        if offered.version > member.voter.version:
            pending = member.versions.pending
            if pending is None or pending.version <= offered.version:
                member.versions.offer(
                    offered, message.contents, sender=sender, term=message.number("term")
                )
                member.voter.stored(member.versions.stored.version)
        return [self._stored(sender)]

    def _take_stored(self, sender: str, message: RunMessage) -> list[Outbound]:
        member = self._member
        term, missing = message.number("term"), message.digests("missing")
        member.voter.stored_by(sender, term, message.version(), self._clock())
        return self._files(sender, missing) if member.voter.role == "coordinator" else []

    def _take_files(self, sender: str, message: RunMessage) -> list[Outbound]:
        member = self._member
        if member.ending.ended is not None or not member.versions.add(message.contents):
            return []
        member.voter.stored(member.versions.stored.version)
        return [] if member.over and member.ending.close() else [self._stored(sender)]

    def _take_ask(self, sender: str, message: RunMessage) -> list[Outbound]:
        member = self._member
        found = self._files(sender, message.digests("missing"))
        if message.flag("plan"):
            plan = RunMessage(PLAN, member.plan.key, {}, (member.plan.to_bytes(),))
            found.append(Outbound(sender, plan, member.contents_s))
        return found

    def _take_task(self, sender: str, message: RunMessage) -> list[Outbound]:
        member = self._member
        task = RunTask.of(sender, message)
        if not member.over and member.voter.follows(sender, task.term, self._clock()):
            member.put_task(task)
        return []

    def _take_reply(self, sender: str, message: RunMessage) -> list[Outbound]:
        member = self._member
        if member.replies is not None:
            member.replies.take(sender, message)
        return []

    def _take_end(self, sender: str, message: RunMessage) -> list[Outbound]:
        member = self._member
        offered = offered_version(message)
        if offered.ended is None:
            raise FederationError(f"{END}: says nothing of how the run ended")
        if member.over:
            return []
        member.ending.heard = True
        member.voter.stand_down(now=self._clock())
        if member.versions.offer(offered, (), sender=sender) and member.ending.close():
            return []
        return member.ask(self._clock())

    def _take_cancel(self, sender: str, _message: RunMessage) -> list[Outbound]:
        member = self._member
        if sender != member.plan.proposer:
            raise FederationError(
                f"{CANCEL}: found one of {sender!r:.80}; wanted one of {member.plan.proposer!r}, "
                "who proposed the run"
            )
        member.cancel()
        return []

    def _stored(self, sender: str) -> Outbound:
        member = self._member
        head = {
            "term": member.voter.term,
            "version": version_content(member.voter.version),
            "missing": member.versions.to_ask(self._clock()),
        }
        return Outbound(sender, RunMessage(STORED, member.plan.key, head), member.contents_s)

    def _files(self, sender: str, digests: list[str]) -> list[Outbound]:
        member = self._member
        messages = member.versions.files_messages(digests)
        return [Outbound(sender, message, member.contents_s) for message in messages]
