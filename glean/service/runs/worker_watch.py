"""What the service looks at for its workers: who has fallen silent, and what runs they had."""

from __future__ import annotations

import time
from pathlib import Path

from glean.runs.index import find_run, is_run
from glean.service.runs.cut_off_attempts import put_back_lapsed
from glean.service.runs.leases import Leases
from glean.service.runs.worker_list import WorkerList
from glean.service.settings import ServiceSettings
from glean.service.store.database import Database

EVERY_S = 2.0
_FORGOTTEN_EVERY_S = 3600.0


class WorkerWatch:
    """Lets runs wait again whose worker has fallen silent, and in time forgets the worker.

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
        self._workers = WorkerList(database)
        self._next = self._forget_next = 0.0

    def look(self) -> None:
        """Look, every two seconds at most; to be called again and again.

        Raises
        ------
        SQLAlchemyError
            The database can't be used.
        """
        if time.monotonic() >= self._next:
            put_back_lapsed(self._database, self._leases, self._fetch)
            self._next = time.monotonic() + EVERY_S
        if time.monotonic() >= self._forget_next:
            self._workers.forget()
            self._forget_next = time.monotonic() + _FORGOTTEN_EVERY_S

    def _fetch(self, flower_id: str) -> Path | None:
        found = find_run(self._results, flower_id) if flower_id.isdecimal() else None
        return found if found is not None and is_run(found) else None
