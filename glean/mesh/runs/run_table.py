"""The runs that a peer knows of, and which of them is its turn: one at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from glean.consensus.state_version import NOTHING
from glean.errors import FederationError, GleanError
from glean.mesh.mesh_home import MeshHome
from glean.mesh.runs.run_home import run_home, run_homes
from glean.mesh.runs.run_intake import RunIntake
from glean.mesh.runs.run_member import RunMember
from glean.mesh.runs.run_plan import RunPlan

LOG = logging.getLogger(__name__)

MOST_OPEN = 64
"""Runs of one proposer that aren't over."""


class RunTable:
    """The runs, for any thread.

    Parameters
    ----------
    home : MeshHome
        The peer's.
    own : str
        This peer's name.
    unable : callable
        Given a plan, says why this peer can't coordinate it; "" where it can.
    clock, draw : callable
        Give seconds that never go back, and a number from 0 to 1, below 1.
    """

    def __init__(
        self,
        home: MeshHome,
        *,
        own: str,
        unable: Callable[[RunPlan], str],
        clock: Callable[[], float],
        draw: Callable[[], float],
    ) -> None:
        self._home, self._own, self._unable = home, own, unable
        self._clock, self._draw = clock, draw
        self._lock = threading.Lock()
        self._runs: dict[str, tuple[RunMember, RunIntake]] = {}
        for found in run_homes(home):
            try:
                plan = found.plan()
                if plan is not None:
                    self._open(plan, first=False)
            except GleanError as error:
                LOG.warning("mesh: the run %s can't be gone on with: %s", found.path.name, error)

    def members(self) -> list[RunMember]:
        """Give all of them, the oldest first."""
        with self._lock:
            found = [member for member, _ in self._runs.values()]
        return sorted(found, key=lambda member: (member.plan.created, member.plan.key))

    def get(self, key: str) -> tuple[RunMember, RunIntake] | None:
        """Give a run, and what takes messages of it."""
        with self._lock:
            return self._runs.get(key)

    def add(self, plan: RunPlan, *, first: bool = False) -> tuple[RunMember, RunIntake]:
        """Take part in a run from now on; its plan is on disk when this returns.

        Raises
        ------
        FederationError
            This peer isn't asked to, knows another one by that key, or its proposer has too many.
        OSError
            There is no room.
        """
        if self._own not in plan.participants:
            raise FederationError(f"run {plan.key}: {self._own!r} isn't among its participants")
        with self._lock:
            known = self._runs.get(plan.key)
            if known is not None:
                if known[0].plan != plan:
                    raise FederationError(f"run {plan.key}: found another plan by its key")
                return known
            others = [member for member, _ in self._runs.values() if not member.over]
            if sum(one.plan.proposer == plan.proposer for one in others) >= MOST_OPEN:
                raise FederationError(
                    f"found {MOST_OPEN} runs of {plan.proposer!r} that aren't over; wanted fewer"
                )
            run_home(self._home, plan.key).note_plan(plan)
            return self._open(plan, first=first)

    def turn(self) -> RunMember | None:
        """Give the run whose turn it is: of those that have begun the earliest, else of all.

        One that nobody has coordinated for long comes after the others: its participants may be
        gone for good, and with them who could cancel it.
        """
        waiting = [member for member in self.members() if not (member.over or member.cancelled)]
        return min(waiting, key=_begun_first, default=None)

    def _open(self, plan: RunPlan, *, first: bool) -> tuple[RunMember, RunIntake]:
        member = RunMember(
            run_home(self._home, plan.key),
            plan,
            own=self._own,
            clock=self._clock,
            draw=self._draw,
            first=first,
        )
        member.standing.unable = self._unable(plan)
        if member.standing.unable:
            member.voter.stand_down(now=self._clock(), sit_out=True)
        opened = member, RunIntake(member, clock=self._clock)
        self._runs[plan.key] = opened
        return opened


def _begun_first(member: RunMember) -> tuple[bool, bool, float, str]:
    begun = member.versions.stored.version != NOTHING
    return member.stalled, not begun, member.plan.created, member.plan.key
