"""The workers, as they say that they are there, and those that don't any more."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from glean.service.store.clock import as_text, database_now
from glean.service.store.conflicts import insert_unless_there
from glean.service.store.database import Database
from glean.service.store.tables import WorkerRow

SEEN_EVERY_S = 5.0
"""How often a worker says that it is there."""

ABSENT_S = 30.0
"""One that hasn't said so for that long isn't counted."""

_FORGOTTEN_S = 86_400.0


class WorkerState(StrEnum):
    """How a worker stands."""

    IDLE = "idle"
    BUSY = "busy"
    LOST = "lost"
    """It went without a word."""


def worker_states(session: Session) -> list[tuple[WorkerRow, WorkerState]]:
    """List workers by name, and how each stands."""
    least = as_text(database_now(session) - dt.timedelta(seconds=ABSENT_S))
    rows = session.scalars(sa.select(WorkerRow).order_by(WorkerRow.name))
    return [(row, _state(row, least)) for row in rows]


def _state(row: WorkerRow, least: str) -> WorkerState:
    if row.seen_at < least:
        return WorkerState.LOST
    return WorkerState.BUSY if row.run_id else WorkerState.IDLE


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

    def states(self) -> list[tuple[WorkerRow, WorkerState]]:
        """List all by name, also those that went without a word, and how each stands."""
        with self._database.transaction() as session:
            return worker_states(session)

    def present(self) -> list[WorkerRow]:
        """List those that are there, by name."""
        return [row for row, state in self.states() if state is not WorkerState.LOST]

    def forget(self) -> None:
        """Forget those that went without a word a day ago."""
        with self._database.transaction() as session:
            before = as_text(database_now(session) - dt.timedelta(seconds=_FORGOTTEN_S))
            session.execute(sa.delete(WorkerRow).where(WorkerRow.seen_at < before))

    def problem(self) -> str:
        """Say that none is there; "" where one is."""
        if self.present():
            return ""
        return "no worker is there, and the service runs no simulations itself: start glean worker"
