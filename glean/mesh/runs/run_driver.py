"""One step for all runs of a peer: whose turn it is, what is due, and who is to be conducted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from glean.errors import GleanError
from glean.mesh.runs.run_carrier import Send
from glean.mesh.runs.run_conductor import Conduct, RunConductor
from glean.mesh.runs.run_end import CANCELLED
from glean.mesh.runs.run_member import RunMember
from glean.mesh.runs.run_node import Outbound
from glean.mesh.runs.run_status import TRAINING, WAITING, RunStatus
from glean.mesh.runs.run_table import RunTable

LOG = logging.getLogger(__name__)

JOIN_S = 30.0
"""So long a ServerApp is waited for when this peer ends."""


class RunDriver:
    """Drives the runs; its methods are called by one thread.

    Parameters
    ----------
    table : RunTable
        The runs.
    own : str
        This peer's name.
    send : callable
        Sends messages; raises where one can't be taken.
    conduct : Conduct or None
        Runs a ServerApp, where this peer can.
    hosts : callable
        Says whether this peer hosts a client.
    clock : callable
        Gives seconds that never go back.
    """

    def __init__(
        self,
        table: RunTable,
        *,
        own: str,
        send: Send,
        conduct: Conduct | None,
        hosts: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        self._table, self._own, self._send = table, own, send
        self._conduct, self._hosts, self._clock = conduct, hosts, clock
        self._threads: dict[str, threading.Thread] = {}

    def step(self) -> list[Outbound]:
        """Do what is due in all runs; what is to be sent."""
        turn, hosts = self._table.turn(), self._hosts()
        taken = turn is not None and bool(turn.coordinator)
        found: list[Outbound] = []
        for member in self._table.members():
            with member.changed:
                self._place(member, mine=member is turn, taken=taken, hosts=hosts)
                try:
                    found += member.tick()
                except (GleanError, OSError) as error:
                    LOG.warning("mesh: run %s: %s; it is tried again", member.plan.key, error)
                starts = self._is_to_be_conducted(member)
            if starts:
                self._begin(member)
        return found

    def status(self, member: RunMember) -> RunStatus:
        """Say how a run stands."""
        turn = self._table.turn()
        with member.changed:
            ended = member.ending.ended
            final = member.home.final
            return RunStatus(
                key=member.plan.key,
                state=self._state(member),
                proposer=member.plan.proposer,
                created=member.plan.created,
                participants=member.plan.participants,
                term=member.voter.term,
                coordinator=member.coordinator,
                round=_round_count(member),
                reason=ended.reason if ended else self._waits_for(member, turn),
                present=tuple(sorted({*member.voter.reachable(self._clock()), self._own})),
                folder=str(final) if ended is not None and final.is_dir() else "",
            )

    def close(self) -> None:
        """Wait for ServerApps, which find that this peer coordinates nothing any more."""
        for member in self._table.members():
            with member.changed:
                member.standing.active = False
                member.changed.notify_all()
        for thread in self._threads.values():
            thread.join(JOIN_S)

    def _place(self, member: RunMember, *, mine: bool, taken: bool, hosts: bool) -> None:
        """Say how this peer takes part in a run now."""
        idle = not self._works(member) or member.voter.role == "coordinator"
        quick = _is_quick(member)
        busy = not quick and any(self._works(other) for other in self._others(member))
        standing = replace(
            member.standing,
            active=(mine or quick) and idle and not busy,
            listens=mine or quick or not taken,
            hosts=hosts,
        )
        member.place(standing, mine=mine)

    def _is_to_be_conducted(self, member: RunMember) -> bool:
        coordinates = member.coordinates(member.voter.term)
        return coordinates and not self._works(member) and self._conduct is not None

    def _begin(self, member: RunMember) -> None:
        assert self._conduct is not None
        conductor = RunConductor(
            member, member.voter.term, self._send, conduct=self._conduct, clock=self._clock
        )
        name = f"mesh run {member.plan.key[:8]}"
        thread = threading.Thread(target=conductor.run, name=name, daemon=True)
        self._threads[member.plan.key] = thread
        thread.start()

    def _works(self, member: RunMember) -> bool:
        thread = self._threads.get(member.plan.key)
        return thread is not None and thread.is_alive()

    def _others(self, member: RunMember) -> list[RunMember]:
        return [m for m in self._table.members() if m is not member and not _is_quick(m)]

    def _state(self, member: RunMember) -> str:
        if member.ending.ended is not None:
            return member.ending.ended.status
        if member.cancelled:
            return CANCELLED
        return TRAINING if member.coordinator else WAITING

    def _waits_for(self, member: RunMember, turn: RunMember | None) -> str:
        if member.standing.unable:
            return member.standing.unable
        if member.cancelled or member.over or member.coordinator:
            return ""
        if turn is not None and turn is not member:
            return f"waits for the run {turn.plan.key}"
        here, all_of_them = (
            len(member.voter.reachable(self._clock())) + 1,
            len(member.plan.participants),
        )
        if 2 * here <= all_of_them:
            return f"waits for a majority: {here} of {all_of_them} participants are here"
        return ""


def _is_quick(member: RunMember) -> bool:
    """Whether nothing is left to do but to tell all of its end."""
    return member.cancelled or member.versions.stored.ended is not None


def _round_count(member: RunMember) -> int:
    try:
        return member.versions.round_count
    except GleanError:
        return 0
