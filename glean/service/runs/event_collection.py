"""Events of runs that nobody else keeps for the broker: read from the runs' folders here.

A worker keeps the events of what it runs. The service keeps those of what it runs itself, and those
that a worker had no time for since it was cut off, where its folder is here.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session, load_only

from glean.runs.index import find_run, is_run
from glean.service.runs.event_outbox import (
    EVENTS_AN_ATTEMPT,
    EventPlace,
    first_number,
    keep_events,
)
from glean.service.runs.run_files import flower_id_of
from glean.service.runs.status import ENDED, RunStatus
from glean.service.store.clock import as_text, database_now
from glean.service.store.database import Database
from glean.service.store.tables import RunEventRow, RunRow

LOOKED_BACK = dt.timedelta(days=2)
"""How long ago a run may have ended whose events are looked for at the start."""

FOLLOWED_S = 10.0
"""How long the file of a run that has ended is looked at."""


@dataclass(frozen=True)
class _Attempt:
    """A folder in which a run writes, or wrote, its events."""

    run_id: str
    number: int
    path: Path


class EventCollector:
    """Reads what runs append to their events.

    Parameters
    ----------
    database : Database
        Where the runs are listed and their events kept.
    results : Path
        Folder of the run folders.
    clock : callable
        Seconds that only go up.
    """

    def __init__(
        self, database: Database, results: Path, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._results = results
        self._clock = clock
        self._places: dict[tuple[str, int], EventPlace] = {}
        self._ended: dict[str, float] = {}
        self._followed: set[str] | None = None
        self._folders: dict[str, Path] = {}

    def collect(self) -> None:
        """Keep what has come since the last time.

        Raises
        ------
        SQLAlchemyError
            The database can't be used; the same is read again the next time.
        OSError
            A file can't be read; those of the other runs were.
        """
        rows = self._rows()
        unread: dict[str, OSError] = {}
        for row in rows:
            try:
                for attempt in self._attempts(row):
                    self._keep(attempt)
            except OSError as error:
                unread[row.id] = error
        self._followed = {row.id for row in rows if self._goes_on(row) or row.id in unread}
        for known in [key for key in self._places if key[0] not in self._followed]:
            del self._places[known]
        if unread:
            raise next(iter(unread.values()))

    def _rows(self) -> list[RunRow]:
        """List the runs whose files may have grown."""
        with self._database.transaction() as session:
            if self._followed is None:
                followed = _of_late(session)
            else:
                followed = RunRow.id.in_(self._followed)
            rows = sa.select(RunRow).where(RunRow.status.not_in(ENDED) | followed)
            return list(session.scalars(rows.options(_NEEDED)))

    def _goes_on(self, row: RunRow) -> bool:
        if not RunStatus(row.status).ended:
            self._ended.pop(row.id, None)
            return True
        if self._clock() - self._ended.setdefault(row.id, self._clock()) < FOLLOWED_S:
            return True
        del self._ended[row.id]
        return False

    def _attempts(self, row: RunRow) -> Iterator[_Attempt]:
        for number, flower_id in enumerate(row.earlier, 1):
            folder = self._folder_of(flower_id)
            if folder is not None:
                yield _Attempt(row.id, number, folder / "events.jsonl")
        # A run that ended with an attempt whose worker couldn't say so has its folder among these.
        found_before = flower_id_of(Path(row.folder)) in row.earlier
        if row.folder and not found_before and (not row.worker or RunStatus(row.status).ended):
            yield _Attempt(row.id, row.attempt, self._results / row.folder / "events.jsonl")

    def _folder_of(self, flower_id: str) -> Path | None:
        """Find the folder of an attempt that was cut off; None where it is another machine's."""
        if flower_id.isdecimal() and flower_id not in self._folders:
            found = find_run(self._results, flower_id)
            if found is not None and is_run(found):
                self._folders[flower_id] = found
        return self._folders.get(flower_id)

    def _keep(self, attempt: _Attempt) -> None:
        key = attempt.run_id, attempt.number
        try:
            size = attempt.path.stat().st_size
        except FileNotFoundError:
            return
        place = self._places.get(key)
        if place is not None and size <= place.offset:
            return
        with self._database.transaction() as session:
            if place is None:
                place = _kept_place(session, attempt)
            place = keep_events(session, attempt.run_id, attempt.number, attempt.path, place)
        self._places[key] = place


def _of_late(session: Session) -> sa.ColumnElement[bool]:
    """Say which runs may have ended without all of their events being kept."""
    since = as_text(database_now(session) - LOOKED_BACK)
    kept = sa.select(RunEventRow.run_id).distinct()
    return (RunRow.ended_at >= since) | RunRow.id.in_(kept)


def _kept_place(session: Session, attempt: _Attempt) -> EventPlace:
    """Find the place behind the last event of an attempt that is kept.

    A file that another machine writes may have less here than its worker has kept of it by now.
    """
    first = first_number(attempt.number)
    mine = (
        RunEventRow.run_id == attempt.run_id,
        RunEventRow.number > first,
        RunEventRow.number <= first + EVENTS_AN_ATTEMPT,
    )
    last = session.scalar(sa.select(sa.func.max(RunEventRow.number)).where(*mine))
    if last is None:
        return EventPlace()
    line = offset = 0
    with attempt.path.open("rb") as file:
        while line < last - first and (text := file.readline()).endswith(b"\n"):
            line, offset = line + 1, offset + len(text)
    return EventPlace(line, offset)


_NEEDED = load_only(
    RunRow.id, RunRow.status, RunRow.folder, RunRow.worker, RunRow.attempt, RunRow.earlier
)
