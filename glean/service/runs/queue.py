"""The queue: runs are asked for, wait their turn, are started, stopped, taken back and deleted."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import subprocess
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from glean.errors import FederationError
from glean.operations.running.detached_run import (
    read_detached,
    start_detached,
    stop_detached,
)
from glean.operations.running.run_request import RunRequest
from glean.runs.folder import utc_now
from glean.service.problems import ProblemError, not_found
from glean.service.runs.discovery import CANCELLED, SLURM
from glean.service.runs.status import ACTIVE, RunStatus
from glean.service.settings import ServiceSettings
from glean.service.store.database import Database
from glean.service.store.tables import IdempotencyRow, RunRow
from glean.workloads import DEFAULT_WORKLOAD

_RETRY_S = 30

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
        digest = _digest(request)
        with self._database.transaction() as session:
            made = _made_before(session, key, request.asked_by, digest)
            if made is not None:
                return made, False
            self._refuse_when_full(session)
            row = RunRow(
                id=f"r{secrets.token_hex(8)}",
                status=RunStatus.QUEUED,
                engine=request.engine,
                workload=str(request.settings.get("workload", DEFAULT_WORKLOAD)),
                settings=dict(request.settings),
                asked_by=request.asked_by,
                asked_at=request.asked_at,
                request=asdict(request),
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
            _write(request, self._settings.requests / row.id)
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
            row = find_row(session, run_id)
            taken_back = _take_back(session, row)
        if taken_back:
            (self._folder(row.id) / CANCELLED).touch()
            return self.find(row.id)
        if RunStatus(row.status).ended:
            raise ProblemError(HTTPStatus.CONFLICT, f"the run has ended: it is {row.status}")
        if not self._folder(row.id).is_dir():
            raise ProblemError(
                HTTPStatus.CONFLICT,
                "the run was started by a command line: end it there, by Ctrl-C",
            )
        stop_detached(self._folder(row.id))
        return self.find(row.id)

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
            # Requests first: a run folder without one is a run still, but not the other way round.
            for folder in (self._folder(row.id), self.run_folder(row)):
                if folder is not None and folder.is_dir():
                    shutil.rmtree(folder)

    def run_folder(self, row: RunRow) -> Path | None:
        """Give the folder of a run, None while it has none."""
        return self._settings.results / row.folder if row.folder else None

    def request_folder(self, row: RunRow) -> Path | None:
        """Give the folder of a run's request, None where it wasn't asked for here."""
        folder = self._folder(row.id)
        return folder if folder.is_dir() else None

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
            starting = list(session.scalars(sa.select(RunRow.id).where(_NEEDS_A_PROCESS)))
            here = _claim_oldest(session, ~_ON_SLURM, self._settings.runs_at_once)
            there = _claim_oldest(session, _ON_SLURM, MOST_JOBS)
        # Those that were claimed by a service that was killed then are started too.
        return starting + here + there

    def _start(self, run_id: str) -> None:
        folder = self._folder(run_id)
        try:
            self._started[run_id] = start_detached(folder)
        except OSError as error:
            (folder / "error").write_text(f"can't be started: {error}", encoding="utf-8")

    def _folder(self, run_id: str) -> Path:
        return self._settings.requests / run_id

    def _refuse_when_full(self, session: Session) -> None:
        waiting = session.scalar(sa.select(sa.func.count()).where(_IS_QUEUED)) or 0
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


_IS_QUEUED = RunRow.status == RunStatus.QUEUED
_IS_ACTIVE = RunRow.status.in_(ACTIVE)
_ON_SLURM = RunRow.engine == SLURM
_NEEDS_A_PROCESS = (RunRow.status == RunStatus.STARTING) | (_ON_SLURM & _IS_ACTIVE)
"""Of a run on SLURM all the time: what follows its job may be killed, and the job goes on."""


def _claim_oldest(session: Session, kind: sa.ColumnElement[bool], at_once: int) -> list[str]:
    """Take as many of a kind that wait as may go on at once."""
    active = session.scalar(sa.select(sa.func.count()).where(_IS_ACTIVE, kind)) or 0
    waiting = sa.select(RunRow.id).where(_IS_QUEUED, kind)
    oldest = waiting.order_by(RunRow.asked_at, RunRow.id).limit(max(0, at_once - active))
    return [run_id for run_id in session.scalars(oldest) if _claim_row(session, run_id)]


def _claim_row(session: Session, run_id: str) -> bool:
    """Take one that waits, unless another service was quicker."""
    done = session.execute(
        sa.update(RunRow)
        .where(RunRow.id == run_id, _IS_QUEUED)
        .values(status=RunStatus.STARTING)
        .returning(RunRow.id)
    )
    return done.first() is not None


def _take_back(session: Session, row: RunRow) -> bool:
    done = session.execute(
        sa.update(RunRow)
        .where(RunRow.id == row.id, _IS_QUEUED)
        .values(status=RunStatus.CANCELLED, ended_at=utc_now())
        .returning(RunRow.id)
    )
    return done.first() is not None


def _made_before(session: Session, key: str, actor: str, digest: str) -> RunRow | None:
    before = session.get(IdempotencyRow, (key, actor)) if key else None
    if before is None:
        return None
    if before.request_hash != digest:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "this Idempotency-Key was sent with another request before; wanted a new key",
        )
    made = session.get(RunRow, before.made)
    if made is None:
        raise ProblemError(
            HTTPStatus.CONFLICT,
            "the run that was asked for under this Idempotency-Key was deleted; wanted a new key",
        )
    return made


def _write(request: RunRequest, folder: Path) -> None:
    try:
        request.write(folder)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ProblemError(
            HTTPStatus.INSUFFICIENT_STORAGE, f"the run can't be kept: {error.strerror}"
        ) from error


def _digest(request: RunRequest) -> str:
    content = [request.engine, request.connection, dict(request.settings), request.bakeries]
    content += [dict(request.job)] if request.job else []
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
