"""The list of runs, a page at a time, by a cursor that stays right while runs come and go."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from glean.service.problems import FieldProblem, ProblemError
from glean.service.runs.status import ENDED, RunStatus
from glean.service.store.database import Database
from glean.service.store.tables import RunRow


class RunOrder(StrEnum):
    """By what runs are sorted; "-": the largest or latest first."""

    NEWEST = "-asked_at"
    OLDEST = "asked_at"
    LAST_ENDED = "-ended_at"
    FIRST_ENDED = "ended_at"
    STATUS = "status"
    ENGINE = "engine"

    @property
    def column(self) -> InstrumentedAttribute[Any]:
        """The column."""
        column: InstrumentedAttribute[Any] = getattr(RunRow, self.value.removeprefix("-"))
        return column

    @property
    def descending(self) -> bool:
        """Whether the largest comes first."""
        return self.value.startswith("-")


@dataclass(frozen=True)
class RunFilter:
    """Which runs; an empty field lets all through.

    Parameters
    ----------
    statuses : tuple of RunStatus
        How they stand.
    engine, workload : str
        Theirs.
    """

    statuses: tuple[RunStatus, ...] = ()
    engine: str = ""
    workload: str = ""

    def of(self, query: sa.Select[Any]) -> sa.Select[Any]:
        """Narrow a query."""
        if self.statuses:
            query = query.where(RunRow.status.in_(self.statuses))
        if self.engine:
            query = query.where(RunRow.engine == self.engine)
        if self.workload:
            query = query.where(RunRow.workload == self.workload)
        return query


def list_rows(
    database: Database, wanted: RunFilter, *, order: RunOrder, limit: int, cursor: str = ""
) -> tuple[list[RunRow], str]:
    """Give some runs and the cursor of those after; "" where there are none.

    Raises
    ------
    ProblemError
        The cursor isn't one of this order.
    """
    by, identity = order.column, RunRow.id
    query = wanted.of(sa.select(RunRow))
    if cursor:
        place = sa.tuple_(*(sa.literal(value) for value in _read(cursor, order)))
        here = sa.tuple_(by, identity)
        query = query.where(here < place if order.descending else here > place)
    columns = (by.desc(), identity.desc()) if order.descending else (by, identity)
    with database.transaction() as session:
        rows = list(session.scalars(query.order_by(*columns).limit(limit + 1)))
    if len(rows) <= limit:
        return rows, ""
    last = rows[limit - 1]
    return rows[:limit], _written(order, getattr(last, by.key), last.id)


def unfinished_run_on(database: Database, table: Path) -> RunRow | None:
    """Find a run that waits or goes on and learns from a table; None where there is none."""
    unfinished = sa.select(RunRow).where(RunRow.status.not_in(ENDED))
    with database.transaction() as session:
        rows = list(session.scalars(unfinished))
    return next((row for row in rows if row.settings.get("sales") == str(table)), None)


def _written(order: RunOrder, *place: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps([order.value, *place]).encode()).decode()


def _read(cursor: str, order: RunOrder) -> tuple[str, str]:
    try:
        named, value, run_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (ValueError, TypeError, binascii.Error, RecursionError):
        named = value = run_id = None
    if named != order.value or not isinstance(value, str) or not isinstance(run_id, str):
        problem = FieldProblem(
            pointer="query/cursor",
            detail=f"found {cursor[:40]!r}; wanted a next_cursor of a list in the same order",
        )
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "1 thing is wrong", errors=[problem])
    return value, run_id
