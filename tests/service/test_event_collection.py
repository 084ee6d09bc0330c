"""Which events the service reads from folders: its own runs', and what a killed worker left."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from unittest import mock

import pytest
import sqlalchemy as sa

pytest.importorskip("pika", reason="needs pip install 'glean[broker]'")

from glean.broker.broker_url import BrokerUrl
from glean.service.runs import broker_publisher
from glean.service.runs.broker_publisher import BrokerPublisher
from glean.service.runs.event_collection import FOLLOWED_S, EventCollector
from glean.service.runs.event_outbox import EventOutbox, EventPlace, keep_events
from glean.service.runs.status import RunStatus
from glean.service.store.database import Database
from glean.service.store.tables import RunEventRow
from tests.broker.scripted_broker import ScriptedConnection
from tests.service.test_broker_outbox import add, change, write


def kept(database: Database) -> list[tuple[str, int]]:
    with database.transaction() as session:
        rows = session.scalars(sa.select(RunEventRow).order_by(RunEventRow.number))
        return [(row.run_id, row.number) for row in rows]


def test_a_worker_s_run_is_left_to_it_until_it_has_ended(
    database: Database, tmp_path: Path
) -> None:
    """Then what it had no time for is read here, if the folder is here."""
    collector = EventCollector(database, tmp_path)
    add(database, "a", status=RunStatus.RUNNING, worker="w", attempt=1, folder="run-7")
    write(tmp_path / "run-7", 2)
    collector.collect()
    assert kept(database) == []
    change(database, "a", status=RunStatus.FAILED)
    collector.collect()
    assert kept(database) == [("a", 1), ("a", 2)]


def test_what_a_worker_left_that_was_cut_off_is_kept_under_its_attempt(
    database: Database, tmp_path: Path
) -> None:
    """Also while the next one works; an attempt whose run is none or elsewhere left nothing."""
    (tmp_path / "run-7").mkdir()
    (tmp_path / "run-7" / "run.json").write_text("{}")
    write(tmp_path / "run-7", 3)
    add(database, "a", status=RunStatus.RUNNING, worker="w", attempt=4, earlier=["", "7", "8"])
    EventCollector(database, tmp_path).collect()
    assert kept(database) == [("a", 1_000_001), ("a", 1_000_002), ("a", 1_000_003)]


def test_a_run_that_has_ended_is_followed_for_a_moment_only(
    database: Database, tmp_path: Path
) -> None:
    """Its process writes how it ended; then nothing is looked at any more."""
    now = [0.0]
    collector = EventCollector(database, tmp_path, clock=lambda: now[0])
    add(database, "a", status=RunStatus.RUNNING, folder="run-7")
    collector.collect()
    change(database, "a", status=RunStatus.COMPLETED)
    collector.collect()
    write(tmp_path / "run-7", 2)
    now[0] = FOLLOWED_S / 2
    collector.collect()
    assert len(kept(database)) == 2
    now[0] = FOLLOWED_S + 1
    collector.collect()
    write(tmp_path / "run-7", 2, begin=3)
    collector.collect()
    assert len(kept(database)) == 2


def test_a_service_that_was_away_reads_what_came_meanwhile_and_no_more(
    database: Database, tmp_path: Path
) -> None:
    """Of runs that ended lately, or of which some is kept; of old ones nothing is known."""
    for run_id in ("kept", "lately", "old"):
        add(database, run_id, status=RunStatus.RUNNING, folder=f"run-{run_id}")
    write(tmp_path / "run-kept", 2)
    EventCollector(database, tmp_path).collect()
    for run_id in ("kept", "lately", "old"):
        write(tmp_path / f"run-{run_id}", 1)
        change(database, run_id, status=RunStatus.COMPLETED, ended_at="2026-01-01T00:00:00+00:00")
    change(database, "lately", ended_at="9999-01-01T00:00:00+00:00")
    EventOutbox(database).published(EventOutbox(database).waiting())
    EventCollector(database, tmp_path).collect()
    found = [(row.run_id, row.number) for row in EventOutbox(database).waiting()]
    assert found == [("kept", 3), ("lately", 1)]


def test_a_copy_that_lags_behind_what_is_kept_gives_no_event_a_second_number(
    database: Database, tmp_path: Path
) -> None:
    """As of a run whose worker keeps its events itself, and whose folder comes here by a store."""
    write(tmp_path / "worker", 5)
    path = tmp_path / "run-7" / "events.jsonl"
    write(path.parent, 2)
    whole = (tmp_path / "worker" / "events.jsonl").read_bytes()
    path.write_bytes(whole[: path.stat().st_size + 9])
    add(database, "a", status=RunStatus.COMPLETED, worker="w", attempt=1, folder="run-7")
    change(database, "a", ended_at="9999-01-01T00:00:00+00:00")
    with database.transaction() as session:
        keep_events(session, "a", 1, tmp_path / "worker" / "events.jsonl", EventPlace())
    collector = EventCollector(database, tmp_path)
    collector.collect()
    path.write_bytes(whole)
    write(path.parent, 1, begin=6)
    collector.collect()
    found = {
        row.number: json.loads(row.content)["round"] for row in EventOutbox(database).waiting()
    }
    assert found == {number: number for number in range(1, 7)}


def test_a_file_that_can_t_be_read_holds_up_no_other_run(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Which is said once; once it can be read its events follow, though the run has ended."""
    connection, now = ScriptedConnection(), [0.0]
    with mock.patch.object(broker_publisher, "BrokerConnection", return_value=connection):
        publisher = BrokerPublisher(database, tmp_path, BrokerUrl("amqp://queue.example"))
    publisher._collector = EventCollector(database, tmp_path, clock=lambda: now[0])
    unreadable = tmp_path / "run-a" / "events.jsonl"
    unreadable.mkdir(parents=True)
    write(tmp_path / "run-b", 1)
    for run_id in "ab":
        add(database, run_id, status=RunStatus.RUNNING, folder=f"run-{run_id}")
    add(database, "waiting")
    for _ in range(2):
        publisher._look_once()
    assert [one.message_id for one in connection.arrived] == ["waiting/0", "b/1"]
    change(database, "a", status=RunStatus.COMPLETED)
    for _ in range(2):
        now[0] += 2 * FOLLOWED_S
        publisher._look_once()
    unreadable.rmdir()
    write(tmp_path / "run-a", 1)
    publisher._look_once()
    assert [one.message_id for one in connection.arrived[2:]] == ["a/1"]
    said = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
    assert len(said) == 1
    assert "events of runs can't be read" in said[0]
