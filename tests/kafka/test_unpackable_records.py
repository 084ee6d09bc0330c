"""Records that unpack to more than a reader takes are gone past: whoever may write stops nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from glean.kafka import client_config
from glean.kafka.topics import PARTITIONS
from tests.kafka.test_kafka_carriers import LIMIT_S, answer, ask, replies
from tests.kafka.test_refusals import TOPICS
from tests.kafka_broker import KafkaBroker, kafka_broker, why_no_broker
from tests.kafka_ends import NAMES, Ends, all_ends, new_federation
from tests.processes import wait_until

REASON = why_no_broker()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

MOST = 2**21
"""What the ends of these tests unpack at most; usually it is fifty times as much."""


def write_bombs(broker: KafkaBroker, topic: str, partitions: int, count: int) -> None:
    """Write zeros, so many records in one piece, that are some hundred bytes while packed."""
    from confluent_kafka import Producer

    size = 2 * MOST // count
    settings = {"compression.type": "zstd", "linger.ms": 200, "batch.size": 2**24}
    limits = {"message.max.bytes": 2**24, "batch.num.messages": count}
    producer = Producer({"bootstrap.servers": broker.server, **settings, **limits})
    for partition in range(partitions):
        for _ in range(count):
            producer.produce(topic, bytes(size), partition=partition)
    assert producer.flush(LIMIT_S) == 0


@pytest.mark.slow
def test_a_run_goes_on_behind_records_that_cannot_be_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In each topic that is read; they are named, and what comes after them is taken."""
    for name, value in {
        "receive.message.max.bytes": MOST,
        "fetch.max.bytes": MOST // 2,
        "fetch.message.max.bytes": MOST // 2,
    }.items():
        monkeypatch.setitem(client_config._CONSUMER, name, value)
    with (
        kafka_broker(tmp_path / "broker") as broker,
        all_ends(Ends(broker.url, tmp_path, new_federation())) as (server, clients),
    ):
        for topic, partitions in TOPICS.partitions.items():
            write_bombs(broker, topic, partitions, count=5)
        ask(server, NAMES)
        answer(clients, len(NAMES))
        assert len(replies(server, len(NAMES))) == len(NAMES)
        heard = {name: sequence for name, (_, sequence) in server._heard.items()}
        wait_until(
            lambda: all(server._heard[name][1] > heard[name] for name in NAMES),
            "heartbeats are heard",
            limit_s=LIMIT_S,
        )
        named = server.dead_letters.counts
        wait_until(lambda: named["unreadable"] >= PARTITIONS + 1, "each is named", limit_s=LIMIT_S)
        for client in clients.values():
            assert client.dead_letters.counts["unreadable"] >= 2
            assert client.problem == ""
