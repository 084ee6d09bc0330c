"""What the service looks at for its workers: leases that lapsed, and events that nobody kept."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from glean.runs.index import find_run, is_run, signature_of
from glean.service.runs.cut_off_attempts import put_back_lapsed
from glean.service.runs.event_outbox import EventOutbox, EventPlace, keep_events
from glean.service.runs.leases import Leases
from glean.service.runs.status import ENDED
from glean.service.settings import ServiceSettings
from glean.service.store.clock import as_text, database_now
from glean.service.store.database import Database
from glean.service.store.service_facts import ServiceFacts
from glean.service.store.tables import RunRow

LAPSED_EVERY_S, PRUNED_EVERY_S = 2.0, 3600.0

_LATELY = dt.timedelta(days=1)
"""Of runs that ended since then the events are looked at once more when a service begins."""


_LAST_WORDS_S = 60.0
"""How long the events of a run are looked at after its end."""


@dataclass
class _OpenRun:
    """How far the events of a run have been read, by attempt, and what its files looked like."""

    places: dict[int, EventPlace] = field(default_factory=dict)
    seen: str = ""
    last_going_on: float = field(default_factory=time.monotonic)


class WorkerWatch:
    """Sees to runs whose worker has gone, and to the events of those that have none.

    Parameters
    ----------
    database : Database
        Where the queue is.
    settings : ServiceSettings
        Where run folders are.
    """

    def __init__(self, database: Database, settings: ServiceSettings) -> None:
        self._database = database
        self._results = settings.results
        self._leases = Leases(database)
        self._facts = ServiceFacts(database)
        self._outbox = EventOutbox(database)
        self._open: dict[str, _OpenRun] = {}
        self._look_back = True
        self._lapsed_at = self._pruned_at = float("-inf")

    def look(self) -> None:
        """Look; to be called again and again.

        Raises
        ------
        SQLAlchemyError
            The database can't be used.
        """
        now = time.monotonic()
        if now - self._lapsed_at > LAPSED_EVERY_S:
            put_back_lapsed(self._database, self._leases, self._fetch)
            self._lapsed_at = now
        if not self._facts.keeps_events:
            return
        self._keep_events()
        if now - self._pruned_at > PRUNED_EVERY_S:
            self._outbox.prune()
            self._pruned_at = now

    def _keep_events(self) -> None:
        """Keep what the service's own runs, and those that ended a moment ago, have to say."""
        for row in self._open_rows():
            open_run = self._open.setdefault(row.id, _OpenRun())
            folder = self._results / row.folder
            seen = f"{row.attempt} {signature_of(folder)}"
            if open_run.seen != seen:
                attempt = max(1, row.attempt)
                place = open_run.places.get(attempt, EventPlace())
                with self._database.transaction() as session:
                    place = keep_events(session, row.id, attempt, folder / "events.jsonl", place)
                open_run.places[attempt], open_run.seen = place, seen
            if row.status not in ENDED:
                open_run.last_going_on = time.monotonic()
        least = time.monotonic() - _LAST_WORDS_S
        self._open = {k: one for k, one in self._open.items() if one.last_going_on > least}
        self._look_back = False

    def _open_rows(self) -> list[RunRow]:
        """List runs with a folder that go on without a worker, or did a moment ago."""
        own = (RunRow.worker == "") & RunRow.status.not_in(ENDED)
        with self._database.transaction() as session:
            also: sa.ColumnElement[bool] = RunRow.id.in_(list(self._open))
            if self._look_back:
                also = RunRow.ended_at >= as_text(database_now(session) - _LATELY)
            query = sa.select(RunRow).where(RunRow.folder != "", own | also)
            return list(session.scalars(query))

    def _fetch(self, flower_id: str) -> Path | None:
        found = find_run(self._results, flower_id) if flower_id.isdecimal() else None
        return found if found is not None and is_run(found) else None
