"""Runs that come from a real broker, or while it is away from the database: each is taken once."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import closing
from unittest import mock

import pytest

pytest.importorskip("pika", reason="needs pip install 'glean[broker]'")

from glean.broker.broker_url import BrokerUrl
from glean.broker.connection import BrokerConnection
from glean.broker.messages import RunMessage
from glean.broker.publisher import Publisher
from glean.broker.run_consumer import Delivery, RunConsumer
from glean.broker.topology import RUNS
from glean.service.runs.broker_outbox import BrokerOutbox
from glean.service.runs.leases import Lease, Leases
from glean.service.store.database import Database
from glean.service.worker.broker_source import BrokerSource
from tests import processes
from tests.rabbitmq import RabbitMQ
from tests.service.test_broker_outbox import add

LIMIT_S = 60.0


def source_of(
    database: Database, url: str, worker: str = "w", engines: tuple[str, ...] = ("inprocess",)
) -> BrokerSource:
    consumer = RunConsumer(BrokerConnection(BrokerUrl(url)))
    return BrokerSource(consumer, database, Leases(database), worker, engines)


def taken(source: BrokerSource, count: int) -> list[Lease]:
    """Take so many runs."""
    end, found = threading.Event(), list[Lease]()

    def enough() -> bool:
        lease = source.take(end)
        found.extend([] if lease is None else [lease])
        return len(found) >= count

    processes.wait_until(enough, f"{count} runs", limit_s=LIMIT_S)
    return found


@pytest.mark.slow
def test_runs_that_come_several_times_are_taken_once_each(
    broker: RabbitMQ, database: Database
) -> None:
    """By whichever of two workers; messages of runs that don't wait are gone then."""
    runs = [f"r{k}" for k in range(6)]
    for run_id in runs:
        add(database, run_id, priority=int(run_id[1:]))
    with closing(Publisher(BrokerConnection(BrokerUrl(broker.url)))) as publisher:
        BrokerOutbox(database, publisher).send_waiting()
        for run_id in (*runs, *runs, "unknown"):
            publisher.send(RunMessage(run_id, 0).to_outgoing())
    sources = [source_of(database, broker.url, worker) for worker in ("one", "two")]
    found: list[Lease] = []

    def idle() -> bool:
        for source in sources:
            lease = source.take(threading.Event())
            found.extend([] if lease is None else [lease])
        return broker.waiting(RUNS) == 0 and len(found) >= len(runs)

    processes.wait_until(idle, "an empty queue", limit_s=LIMIT_S)
    for source in sources:
        source.close()
    assert Counter(lease.run_id for lease in found) == Counter(runs)
    assert [lease.run_id for lease in found[:2]] == ["r5", "r4"]
    assert {lease.worker for lease in found} == {"one", "two"}


@pytest.mark.slow
def test_a_run_that_a_worker_can_t_do_is_left_to_another(
    broker: RabbitMQ, database: Database
) -> None:
    """Its message goes back to the queue."""
    add(database, "a", engine="ray")
    with closing(Publisher(BrokerConnection(BrokerUrl(broker.url)))) as publisher:
        BrokerOutbox(database, publisher).send_waiting()
    with closing(source_of(database, broker.url)) as without_ray:
        assert without_ray.take(threading.Event()) is None
    with closing(source_of(database, broker.url, "two", ("ray", "inprocess"))) as source:
        assert [lease.worker for lease in taken(source, 1)] == ["two"]
    assert broker.waiting(RUNS) == 0


def test_what_lies_behind_a_run_that_a_worker_can_t_do_doesn_t_wait_for_it(
    database: Database,
) -> None:
    """The broker hands out that one again and again."""
    add(database, "a", engine="ray", priority=9)
    add(database, "b")
    consumer = mock.Mock(spec=RunConsumer)
    consumer.next.return_value = Delivery(RunMessage("a", 0), 1)
    source = BrokerSource(consumer, database, Leases(database), "w", ("inprocess",))
    lease = source.take(threading.Event())
    assert lease is not None
    assert lease.run_id == "b"
    consumer.close.assert_called_once_with()


def test_runs_are_taken_from_the_database_while_there_is_no_broker(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Which is said once, without the password."""
    add(database, "a")
    add(database, "b", priority=1)
    url = f"amqp://guest:secret@127.0.0.1:{processes.free_port()}"
    with closing(source_of(database, url)) as source:
        assert [lease.run_id for lease in taken(source, 2)] == ["b", "a"]
    (said,) = [record.getMessage() for record in caplog.records if "broker" in record.getMessage()]
    assert "while the broker is away" in said
    assert "secret" not in said
