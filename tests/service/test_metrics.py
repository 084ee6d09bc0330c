"""`GET /metrics`, read by Prometheus's own parser: what it says is what happened."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from glean.observability.metrics import SERVICE_METRICS
from glean.runs.folder import utc_now
from glean.service.accounts.scopes import Scope
from glean.service.api import metrics as metrics_api
from glean.service.app import create_app
from glean.service.services import Services
from glean.service.store.tables import RunEventRow, RunRow, Table, WorkerRow
from tests.service.conftest import token

LATER = "2099-01-01T00:00:00.000+00:00"
EARLIER = "2020-01-01T00:00:00.000+00:00"

Values = Mapping[tuple[str, ...], float]


def scraped(client: TestClient, headers: Mapping[str, str]) -> Values:
    """Value by name and values of labels, as Prometheus understands them."""
    parser = pytest.importorskip("prometheus_client.parser")
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    families = parser.text_string_to_metric_families(answer.text)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def row(run_id: str, status: str, **values: Any) -> RunRow:
    return RunRow(id=run_id, status=status, **{"asked_at": EARLIER, "workload": "demand"} | values)


def add(services: Services, *rows: Table) -> None:
    with services.database.transaction() as session:
        session.add_all(rows)


def finished(at: str, number: int, **fields: Any) -> str:
    event = {"time": at, "event": "round_finished", "round": number} | fields
    return json.dumps(event) + "\n"


def test_a_scrape_needs_a_reader_s_token(client: TestClient, services: Services) -> None:
    """As the API does; the least scope is enough."""
    assert client.get("/metrics").status_code == 401
    assert scraped(client, token(services, Scope.READ))


def test_runs_are_counted_by_how_they_stand(
    client: TestClient, services: Services, admin: dict[str, str]
) -> None:
    """Those that the folder has, those that wait and those that go on."""
    add(services, row("r1", "queued"), row("r2", "queued"), row("r3", "running", bakeries=7))
    found = scraped(client, admin)
    stands = {status: found["glean_runs", status] for status in ("completed", "queued", "running")}
    assert stands == {"completed": 1, "queued": 2, "running": 1}
    assert found["glean_queue_waiting",] == 2
    assert found["glean_queue_longest_wait_seconds",] > 86400
    assert found["glean_queue_limit",] == services.settings.longest_queue
    assert found["glean_bakeries_taking_part",] == 7
    assert (found["glean_ready",], found["glean_healthy", "database"]) == (1, 1)


def test_rounds_and_bytes_count_from_the_service_s_start(
    client: TestClient, services: Services, admin: dict[str, str]
) -> None:
    """Each once, as it comes; half a line waits for its end."""
    folder = services.settings.results / "20990101T000000Z-77"
    folder.mkdir()
    events = folder / "events.jsonl"
    add(services, row("77", "running", folder=folder.name))
    events.write_text(
        finished(EARLIER, 1, bytes_down=10**9)
        + finished(LATER, 0, bytes_down=1, bytes_up=2, seconds=0.5)
        + finished(LATER, 1, bytes_down=10, bytes_up=20, seconds=2)
    )
    found = scraped(client, admin)
    assert found["glean_rounds_total", "demand"] == 1
    assert (found["glean_bytes_total", "down"], found["glean_bytes_total", "up"]) == (11, 22)
    assert found["glean_round_seconds_total", "demand"] == 2.5
    line = finished(LATER, 2, bytes_down=100)
    with events.open("a") as file:
        file.write(line[:30])
    assert scraped(client, admin)["glean_rounds_total", "demand"] == 1
    with events.open("a") as file:
        file.write(
            line[30:] + "no JSON\n" + finished(LATER, 3, bytes_up="many", bytes_down=10**400)
        )
    found = scraped(client, admin)
    assert found["glean_rounds_total", "demand"] == 3
    assert (found["glean_bytes_total", "down"], found["glean_bytes_total", "up"]) == (111, 22)


def test_counters_do_not_fall_when_a_run_is_deleted(
    client: TestClient, services: Services, admin: dict[str, str]
) -> None:
    """Prometheus would take that for a new start, and count all anew."""
    folder = services.settings.results / "20990101T000000Z-77"
    folder.mkdir()
    (folder / "events.jsonl").write_text(finished(LATER, 1, bytes_up=5))
    add(services, row("77", "completed", folder=folder.name, ended_at=LATER))
    first = scraped(client, admin)
    assert first["glean_runs_ended_total", "completed"] == 1
    with services.database.transaction() as session:
        session.execute(sa.delete(RunRow).where(RunRow.id == "77"))
    shutil.rmtree(folder)
    then = scraped(client, admin)
    counters = {name: value for name, value in first.items() if name[0].endswith("_total")}
    counters = {name: value for name, value in counters.items() if name[0].startswith("glean_")}
    assert counters == {name: then[name] for name in counters}
    assert then["glean_runs", "completed"] == first["glean_runs", "completed"] - 1


def test_labels_have_values_of_lists_only(
    client: TestClient, services: Services, admin: dict[str, str]
) -> None:
    """What a run's folder calls a workload, anybody may have written."""
    folder = services.settings.results / "20990101T000000Z-77"
    folder.mkdir()
    (folder / "events.jsonl").write_text(finished(LATER, 1))
    add(services, row("77", "running", folder=folder.name, workload="<made up>"))
    found = scraped(client, admin)
    assert found["glean_rounds_total", "other"] == 1
    assert not any("<made up>" in name for name in found)


def test_a_broken_part_is_a_metric(
    client: TestClient, services: Services, admin: dict[str, str]
) -> None:
    """A database that is away is told by an answer, without what it would say."""
    services.tokens.prove(admin["Authorization"].removeprefix("Bearer "))
    services.health.add("broker", lambda: "connection refused")
    error = sa.exc.OperationalError("", None, Exception("gone"))
    with (
        mock.patch.object(services.database, "transaction", side_effect=error),
        mock.patch.object(services.database.engine, "connect", side_effect=error),
    ):
        found = scraped(client, admin)
    assert (found["glean_ready",], found["glean_healthy", "database"]) == (0, 0)
    assert (found["glean_healthy", "broker"], found["glean_healthy", "results"]) == (0, 1)
    assert not any(name[0] == "glean_runs" for name in found)


def test_workers_and_what_waits_for_a_broker_are_counted(
    client: TestClient, services: Services, admin: dict[str, str]
) -> None:
    """A worker that was killed says nothing any more, and is told from one that left."""
    now = utc_now()
    add(
        services,
        WorkerRow(name="a", host="h", started_at=EARLIER, seen_at=now, run_id=""),
        WorkerRow(name="b", host="h", started_at=EARLIER, seen_at=now, run_id="r1"),
        WorkerRow(name="c", host="h", started_at=EARLIER, seen_at=now, run_id="r2"),
        WorkerRow(name="d", host="h", started_at=EARLIER, seen_at=EARLIER, run_id="r3"),
        RunEventRow(run_id="r1", number=1, kind="run_started", at=EARLIER, content="{}"),
        RunEventRow(
            run_id="r1", number=2, kind="k", at=EARLIER, content="{}", published_at=EARLIER
        ),
        row("r9", "failed", given_up=True, ended_at=EARLIER),
    )
    found = scraped(client, admin)
    states = {state: found["glean_workers", state] for state in ("idle", "busy", "lost")}
    assert states == {"idle": 1, "busy": 2, "lost": 1}
    assert found["glean_outbox_waiting",] == 1
    assert found["glean_outbox_longest_wait_seconds",] > 86400
    assert found["glean_runs_given_up",] == 1


def test_members_are_counted_by_how_they_stand(federation: Services) -> None:
    """Of a federation that is served; without one there are none."""
    found = scraped(TestClient(create_app(federation)), token(federation, Scope.READ))
    assert {name[1] for name in found if name[0] == "glean_members"} == {
        "joined", "waiting", "missing", "left", "shut_out",
    }  # fmt: skip


def test_every_metric_has_its_type_and_meaning(client: TestClient, admin: dict[str, str]) -> None:
    """In both formats, also those without a sample; and the process has its own."""
    openmetrics = pytest.importorskip("prometheus_client.openmetrics.parser")
    plain = client.get("/metrics", headers=admin)
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    for metric in SERVICE_METRICS:
        assert f"# HELP {metric.name} {metric.meaning}\n" in plain.text
        assert f"# TYPE {metric.name} {metric.kind}\n" in plain.text
    assert "process_resident_memory_bytes" in plain.text
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    other = client.get("/metrics", headers=admin | accept)
    names = {f.name for f in openmetrics.text_string_to_metric_families(other.text)}
    assert {metric.name.removesuffix("_total") for metric in SERVICE_METRICS} <= names


def test_without_the_extra_it_says_what_to_install(
    client: TestClient, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """501: the path is right, this installation can't."""

    def missing(*_: str, extra: str) -> None:
        from glean.errors import GleanError

        raise GleanError(f"pip install 'glean[{extra}]'")

    monkeypatch.setattr(metrics_api, "check_installed", missing)
    answer = client.get("/metrics", headers=admin)
    assert answer.status_code == 501
    assert answer.json()["detail"] == "pip install 'glean[observability]'"


def test_a_scrape_of_a_thousand_runs_takes_under_50_ms(
    client: TestClient, services: Services, admin: dict[str, str], results: Path
) -> None:
    """The quickest of ten, since others use this machine too: 20 go on, 980 have ended."""
    events = "".join(finished(LATER, k, bytes_up=1) for k in range(20))
    rows = []
    for number in range(1000):
        folder = results / f"20990101T000000Z-9{number:03}"
        folder.mkdir()
        (folder / "events.jsonl").write_text(events)
        status = "running" if number < 20 else "completed"
        rows.append(row(f"9{number:03}", status, folder=folder.name, ended_at=EARLIER))
    add(services, *rows)
    took_s = []
    for _ in range(10):
        began = time.perf_counter()
        found = scraped(client, admin)
        took_s.append(time.perf_counter() - began)
    assert found["glean_runs", "completed"] == 981
    assert found["glean_rounds_total", "demand"] == 20 * 19
    assert min(took_s) < 0.05, took_s
