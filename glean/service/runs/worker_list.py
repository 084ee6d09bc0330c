"""The workers that said lately that they are there."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from glean.service.store.clock import as_text, database_now
from glean.service.store.conflicts import insert_unless_there
from glean.service.store.database import Database
from glean.service.store.tables import WorkerRow

SEEN_EVERY_S = 5.0
"""How often a worker says that it is there."""

ABSENT_S = 30.0
"""One that hasn't said so for that long isn't counted."""

_FORGOTTEN_S = 86_400.0


class WorkerList:
    """Workers, as they announce themselves.

    Parameters
    ----------
    database : Database
        Where the list is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def seen(self, name: str, host: str, *, run_id: str = "") -> None:
        """Say that a worker is there.

        Parameters
        ----------
        name, host : str
            Its name, and its machine's.
        run_id : str
            What it works on; "" while it waits.
        """
        with self._database.transaction() as session:
            now = as_text(database_now(session))
            new = {"name": name, "host": host, "started_at": now, "seen_at": now, "run_id": ""}
            insert_unless_there(session, WorkerRow, [new])
            session.execute(
                sa.update(WorkerRow)
                .where(WorkerRow.name == name)
                .values(host=host, seen_at=now, run_id=run_id)
            )

    def gone(self, name: str) -> None:
        """Say that a worker has ended."""
        with self._database.transaction() as session:
            session.execute(sa.delete(WorkerRow).where(WorkerRow.name == name))

    def present(self) -> list[WorkerRow]:
        """List those that are there, by name; of those that left long ago the rows go."""
        with self._database.transaction() as session:
            now = database_now(session)
            forgotten = as_text(now - dt.timedelta(seconds=_FORGOTTEN_S))
            session.execute(sa.delete(WorkerRow).where(WorkerRow.seen_at < forgotten))
            least = as_text(now - dt.timedelta(seconds=ABSENT_S))
            there = sa.select(WorkerRow).where(WorkerRow.seen_at >= least)
            return list(session.scalars(there.order_by(WorkerRow.name)))

    def problem(self) -> str:
        """Say that none is there; "" where one is."""
        if self.present():
            return ""
        return "no worker is there, and the service runs no simulations itself: start glean worker"
