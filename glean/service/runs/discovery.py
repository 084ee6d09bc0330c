"""The list of runs, kept as the files say: those asked for here and those of the command line.

What lies on disk is the truth. The rows follow it, and can be made from nothing.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, load_only

from glean.errors import GleanError
from glean.operations.running.attempts import flower_id_in, list_attempts
from glean.operations.running.detached_run import (
    RUN_ID,
    ProcessState,
    read_detached,
)
from glean.runs.folder import INTERRUPTED, write_whole
from glean.runs.index import run_folders, signature_of
from glean.service.alerts.outbox import AlertOutbox
from glean.service.runs.request_rows import row_of_request, update_from_request, update_job
from glean.service.runs.run_files import facts_of, flower_id_of
from glean.service.runs.status import DEPLOYMENT, ENDED, RunStatus
from glean.service.settings import ServiceSettings
from glean.service.store.database import Database
from glean.service.store.tables import RunRow

LOG = logging.getLogger("glean.service")

SLURM = "slurm"
"""Engine of runs in a job of a cluster's."""

ENDED_RUNS_EVERY_S = 30.0
"""How often the files of runs that have ended are looked at, where nothing else happens."""


class RunDiscovery:
    """Brings the list of runs up to what is on disk.

    Parameters
    ----------
    database : Database
        Where the list is.
    settings : ServiceSettings
        Where runs and requests are.
    alerts : AlertOutbox
        Where it is told that a run has failed.
    """

    def __init__(self, database: Database, settings: ServiceSettings, alerts: AlertOutbox) -> None:
        self._database = database
        self._settings = settings
        self._alerts = alerts
        self._jobs_go_on = False
        self._watched: set[str] = set()
        self._going_on: set[str] = set()
        self._seen: list[int] = []
        self._next = 0.0

    def refresh(self) -> None:
        """Read what has changed on disk since the last time.

        Raises
        ------
        SQLAlchemyError
            The database can't be used; nothing has changed in it.
        """
        with self._database.transaction() as session:
            # Workers say in the database themselves that one has ended: known from before, too.
            going_on = self._going_on | set(session.scalars(_GOING_ON))
            attempts = self._refresh_requests(session)
            self._refresh_folders(session, attempts)
            self._tell_of_failures(session, going_on)
            session.flush()
            self._going_on = set(session.scalars(_GOING_ON))

    def refresh_if_changed(self) -> None:
        """Do the same, unless all runs and their jobs have ended and no folder has come or gone.

        Files of runs that have ended are looked at now and then only. Raises as `refresh`.
        """
        seen = [_changed_at(path) for path in (self._settings.results, self._settings.requests)]
        with self._database.transaction() as session:
            all_ended = session.scalar(_GOING_ON.limit(1)) is None
        all_ended = all_ended and not self._jobs_go_on and not self._going_on
        if all_ended and seen == self._seen and time.monotonic() < self._next:
            return
        self.refresh()
        self._seen, self._next = seen, time.monotonic() + ENDED_RUNS_EVERY_S

    def rebuild(self) -> int:
        """Forget the list and make it anew from the disk; how many runs there are."""
        with self._database.transaction() as session:
            # What a worker holds it goes on with, and tells of it.
            session.execute(sa.delete(RunRow).where(RunRow.lease_until == ""))
        self.refresh()
        with self._database.transaction() as session:
            return session.scalar(sa.select(sa.func.count()).select_from(RunRow)) or 0

    def _tell_of_failures(self, session: Session, going_on: set[str]) -> None:
        """Keep an alert for each run that has failed since the last look, and wasn't stopped."""
        for run_id in going_on:
            row = session.get(RunRow, run_id)
            if row is not None and row.status == RunStatus.FAILED and row.reason != INTERRUPTED:
                self._alerts.add(session, "run.failed", run_id, row.reason)

    def _refresh_requests(self, session: Session) -> set[str]:
        """Bring the rows of requests up to date; Flower's ids of the attempts of workers at them.

        An attempt is seen here before its worker has said in the database what its run is called.
        """
        attempts: set[str] = set()
        rows = {row.id: row for row in session.scalars(_OF_REQUESTS)}
        self._jobs_go_on = False
        self._watched.clear()
        for folder in sorted(self._settings.requests.glob("r*")):
            # It may have been asked for since the rows were read.
            row = rows.get(folder.name) or session.get(RunRow, folder.name)
            if row is None:
                row = row_of_request(folder)
                if row is None:
                    continue
                session.add(row)
            if row.attempt and (row.status not in ENDED or "" in (row.flower_id, *row.earlier)):
                attempts |= {flower_id_in(path) for _, path in list_attempts(folder)}
            if row.engine == SLURM:
                self._jobs_go_on |= update_job(row, folder)
            if row.engine == DEPLOYMENT and row.folder and row.status not in ENDED:
                self._follow_on(row, folder)
            if row.status not in ENDED and not row.folder:
                update_from_request(row, folder)
                self._forget_twin(session, row)
        return attempts

    def _follow_on(self, row: RunRow, folder: Path) -> None:
        """Turn to the run that goes on from one that was cut off; until then it hasn't failed."""
        found = read_detached(folder)
        if found.state is not ProcessState.RUNNING:
            return
        self._watched.add(row.id)
        if found.run_id is not None and str(found.run_id) != row.flower_id:
            row.flower_id, row.folder, row.seen = str(found.run_id), "", ""
            row.attempt = max(row.attempt, 1) + 1  # its events have numbers of their own
            row.status = RunStatus.RUNNING

    def _forget_twin(self, session: Session, row: RunRow) -> None:
        """Forget a run that was found by its folder before its request said that it's its own.

        Of files that another machine writes the later one may be seen first.
        """
        twin = session.get(RunRow, row.flower_id) if row.flower_id else None
        if twin is not None:
            session.delete(twin)
            session.flush()

    def _refresh_folders(self, session: Session, attempts: set[str]) -> None:
        rows = {row.flower_id: row for row in session.scalars(_WITH_FLOWER_ID)}
        for earlier in session.scalars(_CUT_OFF):
            attempts.update(earlier)
        folders = run_folders(self._settings.results)
        for folder in folders:
            row = rows.get(flower_id_of(folder))
            if row is not None and row.worker:
                self._note_folder(row, folder)
            elif row is not None or flower_id_of(folder) not in attempts:
                self._refresh_folder(session, row, folder)
        session.flush()
        there = {folder.name for folder in folders}
        for row in rows.values():
            if row.folder and row.folder not in there and self._is_gone(row):
                session.delete(row)

    def _refresh_folder(self, session: Session, row: RunRow | None, folder: Path) -> None:
        if row is not None and not _may_have_changed(row, folder):
            return
        facts = _readable(folder)
        if facts is None:
            return
        if row is None:
            row = RunRow(id=facts["flower_id"], status=facts["status"], asked_at="")
            session.add(row)
        if row.engine == SLURM:
            facts["engine"] = SLURM  # its folder says how it runs in its job: on Ray
        if row.id in self._watched and facts["status"] == RunStatus.FAILED:
            return  # whoever watches it goes on with it, or says that it has failed
        for name, value in facts.items():
            setattr(row, name, value)
        row.asked_at = row.asked_at or row.started_at

    def _note_folder(self, row: RunRow, folder: Path) -> None:
        """See the folder of what a worker runs or ran, who alone says how it stands.

        Once it has ended its request says which its folder is, should the list be made anew.
        """
        if row.status not in ENDED or row.seen:
            return
        request = self._settings.requests / row.id
        if request.is_dir():
            write_whole(request / RUN_ID, row.flower_id.encode())
        row.seen = signature_of(folder)

    def _is_gone(self, row: RunRow) -> bool:
        """Whether a run's folder was here and isn't any more; a worker's may come yet."""
        missing = not (self._settings.results / row.folder).is_dir()
        return missing and (not row.worker or row.seen != "")


_GOING_ON = sa.select(RunRow.id).where(RunRow.status.not_in(ENDED))
_CUT_OFF = sa.select(RunRow.earlier).where(RunRow.attempt > 0)
_OF_REQUESTS = sa.select(RunRow).where(RunRow.id.startswith("r"))
_WITH_FLOWER_ID = (
    sa.select(RunRow)
    .where(RunRow.flower_id != "")
    # Every second, of all runs: their settings alone would take half of the time.
    .options(
        load_only(
            RunRow.flower_id,
            RunRow.folder,
            RunRow.status,
            RunRow.engine,
            RunRow.seen,
            RunRow.asked_at,
            RunRow.started_at,
            RunRow.worker,
        )
    )
)


def _may_have_changed(row: RunRow, folder: Path) -> bool:
    """Whether the files changed; of a run that goes on, also whether its process has gone."""
    return row.status not in ENDED or row.seen != signature_of(folder)


def _changed_at(folder: Path) -> int:
    """When something came into a folder or left it; -1 where there is none."""
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return -1


def _readable(folder: Path) -> dict[str, Any] | None:
    try:
        return facts_of(folder)
    except GleanError as error:
        LOG.warning("%s", error)
        return None
