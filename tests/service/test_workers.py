"""Workers as the service sees them, and what they are told by it."""

from __future__ import annotations

import threading
from pathlib import Path
from unittest import mock

import sqlalchemy as sa
from starlette.testclient import TestClient

from glean.service.app import create_app
from glean.service.runs import worker_list
from glean.service.runs.worker_list import ABSENT_S, WorkerList
from glean.service.runs.worker_watch import WorkerWatch
from glean.service.services import Services, open_services
from glean.service.settings import ServiceSettings
from glean.service.store.database import Database
from glean.service.store.service_facts import ServiceFacts
from glean.service.store.tables import WorkerRow
from glean.service.worker import worker as worker_module
from glean.service.worker.run_exchange import SharedResults
from glean.service.worker.settings import WorkerSettings
from glean.service.worker.worker import Worker
from tests.service.databases import clock_ahead


def test_workers_are_listed_with_what_they_do(
    client: TestClient, services: Services, admin: dict[str, str]
) -> None:
    """Those that went without a word too, for a day."""
    workers = WorkerList(services.database)
    workers.seen("b", "till-2", run_id="r1")
    workers.seen("a", "till-1")
    workers.seen("gone", "till-1")
    workers.gone("gone")
    first, second = client.get("/api/v1/workers", headers=admin).json()["workers"]
    assert (first["name"], first["host"], first["state"], first["run"]) == (
        "a",
        "till-1",
        "idle",
        None,
    )
    assert (second["name"], second["state"], second["run"]) == ("b", "busy", "r1")
    assert second["seen_at"] >= second["started_at"] > "2026"
    with clock_ahead(worker_list, ABSENT_S + 2):
        found = client.get("/api/v1/workers", headers=admin).json()["workers"]
        assert [one["state"] for one in found] == ["lost", "lost"]


def test_workers_that_went_without_a_word_are_forgotten_in_time(services: Services) -> None:
    """Each has another name: a table of them would grow for good."""
    workers = WorkerList(services.database)
    workers.seen("old", "till-1")
    workers.seen("new", "till-1")
    with services.database.transaction() as session:
        old = sa.update(WorkerRow).where(WorkerRow.name == "old")
        session.execute(old.values(seen_at="2026-01-01T00:00:00+00:00"))
    WorkerWatch(services.database, services.settings).look()
    assert [row.name for row, _ in workers.states()] == ["new"]


def test_a_worker_outlives_what_nobody_expected(database: Database, tmp_path: Path) -> None:
    """What it was handed goes back to where it came from."""
    end = threading.Event()
    source = mock.Mock()

    def take(_: threading.Event) -> None:
        if source.take.call_count == 1:
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
        end.set()

    source.take.side_effect = take
    settings = WorkerSettings("", tmp_path, name="w")
    with mock.patch.object(worker_module, "_RETRY_S", 0.01):
        Worker(settings, database, source, SharedResults(tmp_path), end).work()
    assert source.close.call_count == 2


def test_only_a_service_that_serves_says_whether_events_are_kept(results: Path) -> None:
    """And not `--init` or `--rebuild` beside one, which may have no broker."""
    settings = ServiceSettings(results=results)
    services = open_services(settings)
    facts = ServiceFacts(services.database)
    facts.keep_events(yes=True)
    beside = open_services(settings)
    beside.workers.close()
    beside.database.close()
    assert facts.keeps_events
    with TestClient(create_app(services)):
        assert not facts.keeps_events
