"""The queue: runs are asked for, wait their turn, are started, stopped, taken back and deleted."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from glean.errors import FederationError
from glean.operations.running.attempts import (
    earlier_ids,
    flower_id_in,
    go_on_with,
    list_attempts,
)
from glean.operations.running.detached_run import (
    read_detached,
    start_detached,
    stop_detached,
)
from glean.operations.running.run_request import RunRequest
from glean.runs.folder import utc_now
from glean.runs.index import COMPLETED, find_run
from glean.service.problems import ProblemError, not_found
from glean.service.runs.asking import digest_of, made_before, new_id, write_request
from glean.service.runs.claims import (
    HERE,
    IS_QUEUED,
    NEEDS_A_PROCESS,
    ON_SLURM,
    claim_oldest,
    take_back,
    take_over,
    want_stopped,
)
from glean.service.runs.cut_off_attempts import last_readable
from glean.service.runs.request_rows import CANCELLED
from glean.service.runs.status import DEPLOYMENT, RunStatus
from glean.service.settings import ServiceSettings
from glean.service.store.database import Database
from glean.service.store.tables import IdempotencyRow, RunEventRow, RunRow
from glean.workloads import DEFAULT_WORKLOAD

_RETRY_S = 30

_STOPPED_WITHIN_S = 25.0
"""How long a worker may take to hear that it shall stop a run, and to do it."""

_LOOK_S = 0.2

MOST_JOBS = 20
"""Jobs at SLURM at once: they wait and run there, but each has a small process here."""


class RunQueue:
    """The runs of a service, in the order in which they were asked for.

    Parameters
    ----------
    database : Database
        Where the list of runs is.
    settings : ServiceSettings
        Where runs and requests are, and how many may go on at once.
    """

    def __init__(self, database: Database, settings: ServiceSettings) -> None:
        self._database = database
        self._settings = settings
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def ask(self, request: RunRequest, *, key: str = "") -> tuple[RunRow, bool]:
        """Put a run into the queue.

        Parameters
        ----------
        request : RunRequest
            What shall be run; already checked.
        key : str
            Idempotency key: the same request under the same key is put there once.

        Returns
        -------
        RunRow, bool
            The run, and whether it is new.

        Raises
        ------
        ProblemError
            The queue is full, or another request had the same key.
        """
        digest, run_id = digest_of(request), new_id(key, request.asked_by)
        with self._database.transaction() as session:
            made = made_before(session, key, request.asked_by, digest)
            if made is not None:
                return made, False
            self._refuse_when_full(session)
            row = RunRow(
                id=run_id,
                status=RunStatus.QUEUED,
                engine=request.engine,
                workload=str(request.settings.get("workload", DEFAULT_WORKLOAD)),
                settings=dict(request.settings),
                asked_by=request.asked_by,
                asked_at=request.asked_at,
                request=asdict(request),
                priority=request.priority,
            )
            session.add(row)
            if key:
                session.add(
                    IdempotencyRow(
                        key=key,
                        actor=request.asked_by,
                        request_hash=digest,
                        made=row.id,
                        created_at=utc_now(),
                    )
                )
            session.flush()
            # Last, so that what the database refuses leaves nothing on disk; should the commit
            # fail, the request is found there and has its row with the next look.
            write_request(request, self._settings.requests / row.id)
        return row, True

    def start_next(self) -> None:
        """Start as many of those that wait as may go on at once."""
        self._started = {
            k: process for k, process in self._started.items() if process.poll() is None
        }
        for run_id in self._claim():
            # A process takes a second or two until it says in its folder that it is there.
            waits = read_detached(self._folder(run_id)).waits_for_a_process
            if waits and run_id not in self._started:
                self._start(run_id)

    def stop(self, run_id: str) -> RunRow:
        """Stop a run that goes on, or take one back that waits; ends once that is done.

        Raises
        ------
        ProblemError
            There is no such run, or it wasn't started here, or it has ended.
        """
        with self._database.transaction() as session:
            found = find_row(session, run_id).id
            taken_back = take_back(session, found)
        row = self.find(found)  # as it is now: a moment ago somebody may have taken it
        if taken_back:
            (self._folder(row.id) / CANCELLED).touch()
            return row
        if RunStatus(row.status).ended:
            raise ProblemError(HTTPStatus.CONFLICT, f"the run has ended: it is {row.status}")
        if not self._folder(row.id).is_dir():
            raise ProblemError(
                HTTPStatus.CONFLICT,
                "the run was started by a command line: end it there, by Ctrl-C",
            )
        if row.worker:
            self._stop_there(row)
        else:
            stop_detached(self._folder(row.id))
        return self.find(row.id)

    def _stop_there(self, row: RunRow) -> None:
        """Have a worker stop its run, and wait a while until it has said that it did."""
        # Beside the request too: a list that is made anew must not begin the run once more.
        (self._folder(row.id) / CANCELLED).touch()
        deadline = time.monotonic() + _STOPPED_WITHIN_S
        while not RunStatus(self.find(row.id).status).ended and time.monotonic() < deadline:
            # Again and again: it may be put back meanwhile, and be taken by another one.
            with self._database.transaction() as session:
                taken_back = want_stopped(session, row.id)
            if not taken_back:
                time.sleep(_LOOK_S)

    def delete(self, run_id: str) -> None:
        """Delete a run that has ended, with all its files.

        Raises
        ------
        ProblemError
            There is no such run, or it goes on.
        """
        with self._database.transaction() as session:
            row = find_row(session, run_id)
            if not RunStatus(row.status).ended:
                raise ProblemError(HTTPStatus.CONFLICT, f"the run is {row.status}: stop it first")
            session.delete(row)
            session.execute(sa.delete(RunEventRow).where(RunEventRow.run_id == row.id))
            # In this order: without its request a run folder is a run still, and what is left of
            # an attempt that was cut off would be one too.
            attempts = [flower_id_in(path) for _, path in list_attempts(self._folder(row.id))]
            cut_off = [self._folder_of(flower_id) for flower_id in (*row.earlier, *attempts)]
            for folder in (*cut_off, self._folder(row.id), self.run_folder(row)):
                if folder is not None and folder.is_dir():
                    shutil.rmtree(folder)

    def _folder_of(self, flower_id: str) -> Path | None:
        """Give the folder of an attempt's run that was cut off."""
        return find_run(self._settings.results, flower_id) if flower_id.isdecimal() else None

    def run_folder(self, row: RunRow) -> Path | None:
        """Give the folder of a run, None while it has none here."""
        folder = self._settings.results / row.folder
        return folder if row.folder and folder.is_dir() else None

    def request_folder(self, row: RunRow) -> Path | None:
        """Give the folder of a run's request, None where it wasn't asked for here."""
        folder = self._folder(row.id)
        return folder if folder.is_dir() else None

    def log_folder(self, row: RunRow) -> Path | None:
        """Give the folder with the log of what runs it: that of its last attempt."""
        folder = self.request_folder(row)
        attempts = [] if folder is None else list_attempts(folder)
        return attempts[-1][1] if attempts else folder

    def request(self, row: RunRow) -> RunRequest | None:
        """Give what was asked for, None where that wasn't here or can't be read."""
        try:
            return RunRequest.read(self._folder(row.id))
        except FederationError:
            return None

    def find(self, run_id: str) -> RunRow:
        """Find a run by its id here or by Flower's.

        Raises
        ------
        ProblemError
            There is none.
        """
        with self._database.transaction() as session:
            return find_row(session, run_id)

    def _claim(self) -> list[str]:
        with self._database.transaction() as session:
            starting = list(session.scalars(sa.select(RunRow.id).where(NEEDS_A_PROCESS, HERE)))
            at_once = self._settings.runs_at_once
            # Without workers' part of it: then deployments wait for each other still.
            kind = ~ON_SLURM if at_once else RunRow.engine == DEPLOYMENT
            here = claim_oldest(session, kind, at_once or 1)
            there = claim_oldest(session, ON_SLURM, MOST_JOBS)
        # Those that were claimed by a service that was killed then are started too.
        return starting + here + there

    def _start(self, run_id: str) -> None:
        folder = self._folder(run_id)
        try:
            earlier = earlier_ids(self.find(run_id).earlier, folder)
            before = last_readable(earlier, self._folder_of)
            if before is not None and before.status == COMPLETED:
                with self._database.transaction() as session:
                    take_over(session, run_id, before.folder.name, earlier)
                return
            if before is not None:
                go_on_with(folder, before.folder)
            self._started[run_id] = start_detached(folder)
        except OSError as error:
            (folder / "error").write_text(f"can't be started: {error}", encoding="utf-8")

    def _folder(self, run_id: str) -> Path:
        return self._settings.requests / run_id

    def _refuse_when_full(self, session: Session) -> None:
        waiting = session.scalar(sa.select(sa.func.count()).where(IS_QUEUED)) or 0
        if waiting >= self._settings.longest_queue:
            raise ProblemError(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{waiting} runs wait already; wanted fewer than {self._settings.longest_queue}: "
                "try again once some have begun, or take some back",
                headers={"Retry-After": str(_RETRY_S)},
            )


def find_row(session: Session, run_id: str) -> RunRow:
    """Find a run by its id here or by Flower's.

    Raises
    ------
    ProblemError
        There is none.
    """
    row = session.get(RunRow, run_id)
    if row is None and run_id:
        row = session.scalar(sa.select(RunRow).where(RunRow.flower_id == run_id))
    if row is None:
        raise not_found(f"run {run_id[:40]!r}")
    return row
