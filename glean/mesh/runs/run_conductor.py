"""What a peer does as a run's coordinator: go on with the run, and end it for all."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from glean.errors import FederationError, GleanError
from glean.mesh.runs.run_carrier import RunCarrier, Send
from glean.mesh.runs.run_end import CANCELLED, COMPLETED, FAILED, RunEnd
from glean.mesh.runs.run_errors import LeaseLostError, LocalFailureError
from glean.mesh.runs.run_member import RunMember
from glean.runs.cut_off import forget_machine
from glean.runs.folder import reason_of
from glean.runs.index import COMPLETED as RUN_COMPLETED
from glean.runs.index import is_run, read_run

LOG = logging.getLogger(__name__)

Conduct = Callable[[RunCarrier], Path]
"""Runs the ServerApp over a carrier until it ends, and gives the run's folder, in which it says
how. Raises `LocalFailureError` for what concerns this machine alone, and lets `LeaseLostError`
pass; any other `GleanError` ends the run for all."""


class RunConductor:
    """Conducts a run for one term, in a thread of its own.

    Parameters
    ----------
    member : RunMember
        The run, which this peer is coordinator of.
    term : int
        In which term.
    send : callable
        Sends messages; raises where one can't be taken.
    conduct : Conduct
        Runs the ServerApp.
    clock : callable
        Gives seconds that never go back.
    """

    def __init__(
        self,
        member: RunMember,
        term: int,
        send: Send,
        *,
        conduct: Conduct,
        clock: Callable[[], float],
    ) -> None:
        self._member, self._term, self._send = member, term, send
        self._conduct, self._clock = conduct, clock

    def run(self) -> None:
        """Conduct it; afterwards it has ended, or this peer isn't its coordinator."""
        member = self._member
        try:
            carrier = self._carrier()
            with member.changed:
                member.replies = carrier
            try:
                self._end(carrier, *self._conducted(carrier))
            finally:
                with member.changed:
                    member.replies = None
        except LeaseLostError as error:
            LOG.info("mesh: %s", error)
            self._stand_down("")
        except (GleanError, OSError, MemoryError) as error:
            LOG.warning("mesh: this peer can't coordinate run %s: %s", member.plan.key, error)
            self._stand_down(reason_of(error))
        except BaseException as error:
            LOG.exception("mesh: this peer can't coordinate run %s", member.plan.key)
            self._stand_down(reason_of(error))

    def _carrier(self) -> RunCarrier:
        home, stored = self._member.home, self._member.versions.stored
        shutil.rmtree(home.work, ignore_errors=True)
        resume = None
        with self._member.changed:
            if stored.manifest.files and stored.ended is None and not self._member.cancelled:
                resume = home.resumed(self._term) / "run"
                self._member.versions.replica.restore(resume, lasting=False)
        if resume is not None and is_run(resume):
            forget_machine(resume)
        results = home.results(self._term)
        results.mkdir(parents=True)
        return RunCarrier(self._member, self._term, self._send, results=results, resume=resume)

    def _conducted(self, carrier: RunCarrier) -> tuple[RunEnd, Path | None]:
        """Run the ServerApp, unless the run is to end without; how it ended, and its folder."""
        stored, member = self._member.versions.stored, self._member
        if stored.ended is not None:
            return stored.ended, None
        error: BaseException | None = None
        try:
            folder = None if member.cancelled else self._conduct(carrier)
        except Exception as failure:  # noqa: BLE001 # what it means is said below
            folder, error = None, failure
        if self._is_to_end():
            return self._cancelled(), None
        if carrier.failure is not None:  # which the ServerApp took for its own
            raise carrier.failure
        if isinstance(error, LeaseLostError | LocalFailureError | OSError | MemoryError):
            raise error
        return _end_of(folder, error), folder

    def _is_to_end(self) -> bool:
        """Whether it was cancelled, and this peer can say so."""
        with self._member.changed:
            return self._member.cancelled and self._member.coordinates(self._term)

    def _cancelled(self) -> RunEnd:
        return RunEnd(CANCELLED, f"{self._member.plan.proposer}, who proposed it, has cancelled it")

    def _end(self, carrier: RunCarrier, ended: RunEnd, folder: Path | None) -> None:
        carrier.failure = None
        try:
            carrier.commit_end(ended, folder)
        except (LeaseLostError, LocalFailureError, OSError):
            raise
        except GleanError as error:
            carrier.commit_end(RunEnd(FAILED, str(error)), None)
        with self._member.changed:
            outbound = self._member.finish()
        for one in outbound:
            with suppress(FederationError):  # who isn't reached asks once it stands for election
                self._send([one])
        with self._member.changed:
            self._member.ending.close()

    def _stand_down(self, reason: str) -> None:
        member = self._member
        with member.changed:
            if reason:
                member.standing.unable = reason
            if reason or member.voter.term == self._term:
                member.voter.stand_down(now=self._clock(), sit_out=bool(reason))
            member.changed.notify_all()


def _end_of(folder: Path | None, error: BaseException | None) -> RunEnd:
    """Say how a ServerApp's run ended, for all."""
    if error is not None and not isinstance(error, GleanError):
        LOG.error("mesh: a run has failed", exc_info=error)
    if folder is None or error is not None:
        return RunEnd(FAILED, reason_of(error) if error else "it has no folder")
    run = read_run(folder)
    if run.status == RUN_COMPLETED:
        return RunEnd(COMPLETED)
    return RunEnd(FAILED, run.reason or "its ServerApp has ended without a word")
