"""Metrics of what the service shares with its workers: who is there, what no broker has yet."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from glean.observability import metrics
from glean.observability.metrics import Sample
from glean.service.metrics.ages import age_s
from glean.service.runs.worker_list import ABSENT_S
from glean.service.store.clock import as_text, database_now
from glean.service.store.tables import RunEventRow, RunRow, WorkerRow

IDLE, BUSY, LOST = "idle", "busy", "lost"


def worker_samples(session: Session) -> Iterator[Sample]:
    """Count workers, what waits for a broker, and runs that no worker could do."""
    least = as_text(database_now(session) - dt.timedelta(seconds=ABSENT_S))
    rows = session.execute(sa.select(WorkerRow.seen_at, WorkerRow.run_id))
    counts = Counter(_state(seen_at, least, run_id) for seen_at, run_id in rows)
    for state in (IDLE, BUSY, LOST):
        yield Sample(metrics.WORKERS, counts[state], {"state": state})
    given_up = sa.select(sa.func.count()).select_from(RunRow).where(RunRow.given_up)
    yield Sample(metrics.GIVEN_UP, session.scalar(given_up) or 0)
    waiting = sa.select(sa.func.count(), sa.func.min(RunEventRow.at))
    count, oldest = session.execute(waiting.where(RunEventRow.published_at == "")).one()
    yield Sample(metrics.OUTBOX_WAITING, count)
    yield Sample(metrics.OUTBOX_LONGEST_WAIT, age_s(oldest) if oldest else 0.0)


def _state(seen_at: str, least: str, run_id: str) -> str:
    if seen_at < least:
        return LOST
    return BUSY if run_id else IDLE
