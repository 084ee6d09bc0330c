"""The final model of the last run of a mesh, taken by a bakery that was away at its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from glean.errors import GleanError
from glean.federation.grids.turns import TurnLock
from glean.federation.node.hosted_runs import HostedRuns
from glean.federation.node.late_result import announcement_in, take_result
from glean.mesh.runs.run_end import COMPLETED
from glean.mesh.runs.run_status import TRAINING, RunStatus
from glean.regular_files import words_of

LOG = logging.getLogger("glean")

LOOK_S = 1.0
RETRY_S = 10.0
_MOST_ATTEMPTS = 5


class LateResults:
    """Has a bakery take the model of the newest run that has completed, unless it has it.

    Parameters
    ----------
    statuses : callable
        Gives the runs of the peer.
    hosts : HostedRuns
        The bakery's client.
    turn : TurnLock
        What a ServerApp in this process has while it works.
    clock : callable
        Gives seconds that never go back.
    """

    def __init__(
        self,
        statuses: Callable[[], Sequence[RunStatus]],
        hosts: HostedRuns,
        turn: TurnLock,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._statuses, self._hosts, self._turn, self._clock = statuses, hosts, turn, clock
        self._next_at = 0.0
        self._attempts: dict[str, int] = {}

    def look(self) -> None:
        """Take what there is to take; now and then, and not while a run goes on."""
        if self._clock() < self._next_at:
            return
        self._next_at = self._clock() + LOOK_S
        found = self._statuses()
        done = [run for run in found if run.state == COMPLETED and run.folder]
        if not done or any(run.state == TRAINING for run in found):
            return
        newest = max(done, key=lambda run: (run.created, run.key))
        if self._attempts.get(newest.key, 0) < _MOST_ATTEMPTS:
            self._take(newest)

    def _take(self, run: RunStatus) -> None:
        folder = Path(run.folder)
        try:
            with self._turn:
                taken = take_result(folder, announcement_in(folder), self._hosts)
        except (GleanError, OSError) as error:
            self._attempts[run.key] = self._attempts.get(run.key, 0) + 1
            self._next_at = self._clock() + RETRY_S
            why = words_of(error) if isinstance(error, OSError) else str(error)
            LOG.warning("the model of the run %s can't be taken: %s", run.key, why)
            return
        self._attempts[run.key] = _MOST_ATTEMPTS
        if taken:
            LOG.info("the model of the run %s, which ended without this bakery, is taken", run.key)
