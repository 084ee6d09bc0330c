"""Metrics of what the service shares with its workers: who is there, what no broker has yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.orm import Session

from glean.observability import metrics
from glean.observability.metrics import Sample
from glean.service.metrics.ages import age_s
from glean.service.runs.worker_list import WorkerState, worker_states
from glean.service.store.tables import RunEventRow, RunRow


def worker_samples(session: Session) -> Iterator[Sample]:
    """Count workers, what waits for a broker, and runs that no worker could do."""
    counts = Counter(state for _, state in worker_states(session))
    for state in WorkerState:
        yield Sample(metrics.WORKERS, counts[state], {"state": state})
    given_up = sa.select(sa.func.count()).select_from(RunRow).where(RunRow.given_up)
    yield Sample(metrics.GIVEN_UP, session.scalar(given_up) or 0)
    waiting = sa.select(sa.func.count(), sa.func.min(RunEventRow.at))
    count, oldest = session.execute(waiting.where(RunEventRow.published_at == "")).one()
    yield Sample(metrics.OUTBOX_WAITING, count)
    yield Sample(metrics.OUTBOX_LONGEST_WAIT, age_s(oldest) if oldest else 0.0)
