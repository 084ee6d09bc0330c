"""The outbox of run events: each is kept under its number until a broker has confirmed it.

Line n of the `events.jsonl` of attempt k has the number (k - 1) * 1,000,000 + n. What is kept twice
is kept once.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from glean.service.runs.event_tail import parsed
from glean.service.store.clock import as_text, database_now
from glean.service.store.conflicts import insert_unless_there
from glean.service.store.database import Database
from glean.service.store.tables import RunEventRow

EVENTS_AN_ATTEMPT = 1_000_000

KEPT_DAYS = 7
"""How long an event stays that was published."""

_AT_ONCE = 1000


def first_number(attempt: int) -> int:
    """Give the number before that of an attempt's first event."""
    return (max(1, attempt) - 1) * EVENTS_AN_ATTEMPT


class EventOutbox:
    """Events of runs on their way to a broker.

    Parameters
    ----------
    database : Database
        Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def waiting(self, *, limit: int = _AT_ONCE) -> list[RunEventRow]:
        """List those that no broker has confirmed, in order of run and number."""
        unpublished = sa.select(RunEventRow).where(RunEventRow.published_at == "")
        ordered = unpublished.order_by(RunEventRow.run_id, RunEventRow.number)
        with self._database.transaction() as session:
            return list(session.scalars(ordered.limit(limit)))

    def count_waiting(self) -> int:
        """Count those that no broker has confirmed."""
        with self._database.transaction() as session:
            waiting = sa.select(sa.func.count()).where(RunEventRow.published_at == "")
            return session.scalar(waiting) or 0

    def published(self, events: Iterable[RunEventRow]) -> None:
        """Say that a broker has confirmed these."""
        with self._database.transaction() as session:
            now = as_text(database_now(session))
            for event in events:
                same = (RunEventRow.run_id == event.run_id, RunEventRow.number == event.number)
                session.execute(sa.update(RunEventRow).where(*same).values(published_at=now))

    def prune(self) -> int:
        """Delete those that were published some days ago; how many."""
        with self._database.transaction() as session:
            before = as_text(database_now(session) - dt.timedelta(days=KEPT_DAYS))
            published = (RunEventRow.published_at != "") & (RunEventRow.published_at < before)
            done = session.execute(
                sa.delete(RunEventRow).where(published).returning(RunEventRow.number)
            )
            return len(done.all())


@dataclass(frozen=True)
class EventPlace:
    """How far an `events.jsonl` has been read: so many lines, so many bytes."""

    line: int = 0
    offset: int = 0


def keep_events(
    session: Session, run_id: str, attempt: int, path: Path, since: EventPlace
) -> EventPlace:
    """Keep what an attempt's `events.jsonl` has after a place; the place after that.

    Parameters
    ----------
    session : Session
        Of a transaction.
    run_id : str
        The run's id in the queue.
    attempt : int
        Which attempt wrote them.
    path : Path
        Its `events.jsonl`, which need not be there.
    since : EventPlace
        Behind the last event that was kept.
    """
    try:
        with path.open("rb") as file:
            file.seek(since.offset)
            content = file.read()
    except FileNotFoundError:
        return since
    whole = content[: content.rfind(b"\n") + 1]
    lines = whole.split(b"\n")[:-1]
    first = first_number(attempt) + since.line + 1
    rows = [_row(run_id, number, line) for number, line in enumerate(lines, first)]
    fresh = [row for row in rows if row is not None]
    for begin in range(0, len(fresh), _AT_ONCE):
        insert_unless_there(session, RunEventRow, fresh[begin : begin + _AT_ONCE])
    return EventPlace(since.line + len(lines), since.offset + len(whole))


def _row(run_id: str, number: int, line: bytes) -> dict[str, Any] | None:
    """Make the row of a line; a damaged one has its number, and is left out."""
    event = parsed(line)
    if event is None:
        return None
    return {
        "run_id": run_id,
        "number": number,
        "kind": str(event.get("event") or ""),
        "at": str(event.get("time") or ""),
        "content": json.dumps(event),
        "published_at": "",
    }
