"""The metrics of a service, read when somebody scrapes them."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from glean import __version__
from glean.observability import metrics
from glean.observability.exposition import Exposition, Rendered
from glean.observability.health import HealthChecks
from glean.observability.metrics import Sample
from glean.service.membership.member_states import MemberState
from glean.service.metrics.ages import age_s
from glean.service.metrics.run_counters import CountedRun, RunCounters
from glean.service.metrics.worker_metrics import worker_samples
from glean.service.runs.status import ACTIVE, ENDED, RunStatus
from glean.service.settings import ServiceSettings
from glean.service.store.database import Database
from glean.service.store.tables import AlertRow, RunRow

CountMembers = Callable[[], Mapping[MemberState, int]]
"""Says how many bakeries of the federation stand how."""


class ServiceMetrics:
    """The metrics of a service.

    Parameters
    ----------
    database : Database
        Where the list of runs is.
    settings : ServiceSettings
        Where their folders are.
    health : HealthChecks
        What is broken.
    members : callable, optional
        Counts the members of the federation that is served.
    """

    def __init__(
        self,
        database: Database,
        settings: ServiceSettings,
        health: HealthChecks,
        members: CountMembers | None = None,
    ) -> None:
        self._database = database
        self._settings = settings
        self._health = health
        self._members = members
        now = dt.datetime.now(dt.UTC)
        self._began, self._since = now.timestamp(), now.isoformat(timespec="seconds")
        self._counters = RunCounters(settings.results, now.isoformat(timespec="milliseconds"))
        self._lock = threading.Lock()
        self._exposition: Exposition | None = None

    def render(self, accept: str = "") -> Rendered:
        """Write all of them as Prometheus reads them.

        Raises
        ------
        GleanError
            Prometheus's client isn't installed.
        """
        with self._lock:
            if self._exposition is None:
                self._exposition = Exposition(metrics.SERVICE_METRICS, self.samples)
        return self._exposition.render(accept)

    def samples(self) -> Iterator[Sample]:
        """Read them; what a database that is away would say is left out, and that it is away."""
        yield Sample(metrics.BUILD, 1, {"version": __version__})
        yield Sample(metrics.STARTED, self._began)
        health = self._health.look()
        yield Sample(metrics.READY, health.ready)
        for part, problem in health.problems.items():
            yield Sample(metrics.HEALTHY, not problem, {"part": part})
        yield Sample(metrics.QUEUE_LIMIT, self._settings.longest_queue)
        with contextlib.suppress(OSError):  # `glean_healthy` says it
            free_bytes = shutil.disk_usage(self._settings.results).free
            yield Sample(metrics.FREE_BYTES, float(free_bytes))
        with contextlib.suppress(SQLAlchemyError):  # likewise
            yield from self._of_database()
        yield from self._counted()

    def _of_database(self) -> list[Sample]:
        with self._database.transaction() as session:
            found = [*_runs(session), *_queue(session), *worker_samples(session), _alerts(session)]
            fresh = session.execute(_FRESH, {"since": self._since}).all()
        if self._members is not None:
            counts = self._members()
            found += [
                Sample(metrics.MEMBERS, counts.get(state, 0), {"state": state})
                for state in MemberState
            ]
        self._counters.look(
            CountedRun(row.id, row.status, row.folder, row.workload) for row in fresh
        )
        active = [row for row in fresh if row.status in ACTIVE]
        files = [
            self._settings.results / row.folder / "events.jsonl" for row in active if row.folder
        ]
        found.append(Sample(metrics.LONGEST_SILENCE, max(map(_silence_s, files), default=0.0)))
        found.append(Sample(metrics.TAKING_PART, sum(row.bakeries for row in active)))
        return found

    def _counted(self) -> Iterator[Sample]:
        counters = self._counters
        for status in ENDED:
            yield Sample(metrics.RUNS_ENDED, counters.ended[status], {"status": status})
        for workload in counters.workloads:
            labels = {"workload": workload}
            yield Sample(metrics.ROUNDS, counters.rounds[workload], labels)
            yield Sample(metrics.ROUND_SECONDS, counters.seconds[workload], labels)
        for direction in ("down", "up"):
            yield Sample(metrics.BYTES, counters.bytes[direction], {"direction": direction})


_FRESH = sa.select(RunRow.id, RunRow.status, RunRow.folder, RunRow.workload, RunRow.bakeries).where(
    RunRow.status.in_(ACTIVE) | (RunRow.ended_at > sa.bindparam("since"))
)
"""Runs of which something may be new: the others' files aren't looked at."""

_QUEUED = RunRow.status == RunStatus.QUEUED


def _runs(session: Session) -> Iterator[Sample]:
    query = sa.select(RunRow.status, sa.func.count()).group_by(RunRow.status)
    counts = {row.status: row[1] for row in session.execute(query)}
    for status in RunStatus:
        yield Sample(metrics.RUNS, counts.get(status, 0), {"status": status})


def _queue(session: Session) -> Iterator[Sample]:
    query = sa.select(sa.func.count(), sa.func.min(RunRow.asked_at)).where(_QUEUED)
    waiting, oldest = session.execute(query).one()
    yield Sample(metrics.WAITING, waiting)
    yield Sample(metrics.LONGEST_WAIT, age_s(oldest) if oldest else 0.0)


def _alerts(session: Session) -> Sample:
    query = sa.select(sa.func.count()).select_from(AlertRow).where(AlertRow.delivered_at == "")
    return Sample(metrics.ALERTS_WAITING, session.scalar(query) or 0)


def _silence_s(path: Path) -> float:
    try:
        return max(time.time() - path.stat().st_mtime, 0.0)
    except OSError:
        return 0.0
