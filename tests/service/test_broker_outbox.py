"""The outbox against a broker that loses and repeats: everything arrives, and in order."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("pika", reason="needs pip install 'glean[broker]'")

from glean.broker.connection import BrokerError
from glean.broker.publisher import Publisher
from glean.broker.topology import DEAD, EVENTS, RUNS
from glean.service.runs import broker_outbox as outbox_module
from glean.service.runs.broker_outbox import SENT_AGAIN, BrokerOutbox
from glean.service.runs.event_collection import EventCollector
from glean.service.runs.leases import Leases
from glean.service.runs.status import RunStatus
from glean.service.store.database import Database
from glean.service.store.tables import RunRow
from tests.broker.scripted_broker import BrokerAnswer, KilledError, ScriptedConnection
from tests.service.databases import clock_ahead

NAMES = ("r1", "r2", "r3")
STEPS = st.lists(st.tuples(st.sampled_from(NAMES), st.integers(1, 4)), max_size=8)
SCRIPTS = st.lists(st.sampled_from(list(BrokerAnswer)), max_size=20)
AT = "2026-05-01T12:00:00+00:00"


def add(database: Database, run_id: str, **columns: object) -> None:
    values = {"status": RunStatus.QUEUED, "engine": "inprocess", "asked_at": AT, **columns}
    with database.transaction() as session:
        session.add(RunRow(id=run_id, **values))


def change(database: Database, run_id: str, **columns: object) -> None:
    with database.transaction() as session:
        session.execute(sa.update(RunRow).where(RunRow.id == run_id).values(**columns))


def write(folder: Path, count: int, begin: int = 1) -> None:
    """Append events to those of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "events.jsonl").open("a") as file:
        for number in range(begin, begin + count):
            file.write(json.dumps({"event": "round_finished", "round": number}) + "\n")


def outbox_of(database: Database, connection: ScriptedConnection) -> BrokerOutbox:
    return BrokerOutbox(database, Publisher(connection))


def sent(connection: ScriptedConnection, exchange: str) -> list[str]:
    """Ids of the messages that an exchange has got."""
    return [found.message_id for found in connection.arrived if found.exchange == exchange]


def numbers(connection: ScriptedConnection, run_id: str) -> list[int]:
    """Event numbers of a run, as a consumer keeps them that leaves out what it has had."""
    found: dict[int, None] = {}
    for message in connection.arrived:
        body = json.loads(message.body)
        if message.exchange == EVENTS and body["run"] == run_id:
            assert body["number"] == message.headers["event_number"]
            assert body["round"] == body["number"]
            found.setdefault(body["number"])
    return list(found)


class Sender:
    """The service's part, that is killed and started again."""

    def __init__(self, folder: Path, script: Sequence[BrokerAnswer]) -> None:
        self.results = folder / "results"
        self.connection = ScriptedConnection(script)
        self.database = Database(f"sqlite:///{folder / 'service.db'}")
        self.failures = 0
        self.start()

    def start(self) -> None:
        self.collector = EventCollector(self.database, self.results)
        self.outbox = outbox_of(self.database, self.connection)

    def look(self) -> bool:
        """Look once, whatever becomes of it; whether all went well."""
        try:
            self.collector.collect()
            self.outbox.send_waiting()
        except BrokerError:
            self.failures += 1
            return False
        except KilledError:
            self.start()
            return False
        return True


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, script=SCRIPTS)
def test_every_event_arrives_in_order_whatever_breaks(
    empty_database: Path, steps: list[tuple[str, int]], script: list[BrokerAnswer]
) -> None:
    """At a consumer that leaves out numbers it has had; and none comes twice without a reason."""
    with TemporaryDirectory() as made:
        shutil.copy(empty_database, Path(made) / "service.db")
        sender, written = Sender(Path(made), script), dict.fromkeys(NAMES, 0)
        for name in NAMES:
            add(sender.database, name, status=RunStatus.RUNNING, folder=f"run-{name}")
        for name, count in steps:
            write(sender.results / f"run-{name}", count, written[name] + 1)
            written[name] += count
            sender.look()
        for name in NAMES:
            change(sender.database, name, status=RunStatus.COMPLETED)
        tries = itertools.takewhile(lambda _: not sender.look(), itertools.count())
        assert len(list(tries)) <= len(script)
        for name in NAMES:
            assert numbers(sender.connection, name) == list(range(1, written[name] + 1))
        if BrokerAnswer.SENDER_KILLED not in script:
            twice = len(sender.connection.arrived) - sum(written.values())
            assert 0 <= twice <= sender.failures
        sender.database.close()


def test_runs_are_sent_once_by_priority_and_then_in_turn(database: Database) -> None:
    """Those that a worker can run, and that nobody has begun."""
    connection = ScriptedConnection()
    outbox = outbox_of(database, connection)
    add(database, "later", asked_at="2026-05-01T13:00:00+00:00")
    add(database, "first")
    add(database, "urgent", priority=9, asked_at="2026-05-01T14:00:00+00:00")
    add(database, "job", engine="slurm")
    add(database, "begun", status=RunStatus.STARTING)
    for _ in range(2):
        assert not outbox.send_waiting()
    assert sent(connection, RUNS) == ["urgent/0", "first/0", "later/0"]
    assert [found.priority for found in connection.arrived] == [9, 0, 0]


def test_a_run_that_was_not_confirmed_is_sent_again(database: Database) -> None:
    """Whether it arrived or not: who takes it finds out whether it waits."""
    connection = ScriptedConnection([BrokerAnswer.LOST, BrokerAnswer.UNCONFIRMED])
    outbox = outbox_of(database, connection)
    add(database, "a")
    for _ in range(2):
        with pytest.raises(BrokerError):
            outbox.send_waiting()
    outbox.send_waiting()
    outbox.send_waiting()
    assert sent(connection, RUNS) == ["a/0", "a/0"]


def test_a_run_that_was_put_back_is_sent_as_its_next_attempt(database: Database) -> None:
    """With that attempt's number."""
    connection = ScriptedConnection()
    outbox, leases = outbox_of(database, connection), Leases(database)
    add(database, "a")
    outbox.send_waiting()
    lease = leases.take("w")
    assert lease is not None
    outbox.send_waiting()
    leases.hand_back(lease)
    outbox.send_waiting()
    assert sent(connection, RUNS) == ["a/0", "a/1"]


def test_a_run_that_was_put_back_while_its_message_was_on_its_way_is_sent_again(
    database: Database,
) -> None:
    """What was confirmed then was the attempt before."""
    leases = Leases(database)

    class Slow(ScriptedConnection):
        def basic_publish(self, *words: Any, **options: Any) -> None:
            super().basic_publish(*words, **options)
            lease = leases.take("w") if len(self.arrived) == 1 else None
            if lease is not None:
                leases.hand_back(lease)

    connection = Slow()
    outbox = outbox_of(database, connection)
    add(database, "a")
    for _ in range(3):
        outbox.send_waiting()
    assert sent(connection, RUNS) == ["a/0", "a/1"]


def test_a_run_that_the_broker_lost_is_sent_again_after_a_while(database: Database) -> None:
    """Not while its queue has a message for each that waits: a long queue is no reason."""
    connection = ScriptedConnection()
    outbox = outbox_of(database, connection)
    add(database, "a")
    add(database, "b")
    connection.queued = 1
    outbox.send_waiting()
    outbox.send_waiting()
    assert len(connection.arrived) == 2
    with clock_ahead(outbox_module, SENT_AGAIN.total_seconds() + 2):
        connection.queued = 2
        outbox.send_waiting()
        assert len(connection.arrived) == 2
        connection.queued = 1
        outbox.send_waiting()
        outbox.send_waiting()
    assert sent(connection, RUNS) == ["a/0", "b/0"] * 2


def test_a_run_that_was_given_up_goes_to_the_dead_letters_once(database: Database) -> None:
    """With the reason that its row has."""
    connection = ScriptedConnection([BrokerAnswer.CONFIRMED] * 3 + [BrokerAnswer.LOST])
    outbox, leases = outbox_of(database, connection), Leases(database)
    add(database, "a")
    for attempt in range(3):
        outbox.send_waiting()
        lease = leases.take(f"w{attempt}")
        assert lease is not None
        leases.hand_back(lease, orderly=False, why="it ran out of memory")
    with pytest.raises(BrokerError):
        outbox.send_waiting()
    outbox.send_waiting()
    outbox.send_waiting()
    (dead,) = [found for found in connection.arrived if found.exchange == DEAD]
    assert dead.headers == {"reason": "given up after 3 attempts: it ran out of memory"}
    assert json.loads(dead.body) == {"run": "a", "attempt": 3}
