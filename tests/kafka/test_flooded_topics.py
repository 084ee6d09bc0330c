"""Ten thousand wrong records go through a real broker; a run beside them isn't disturbed."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest

from glean.kafka.consumer import Record
from glean.kafka.envelope import HEARTBEAT, REPLY
from tests.kafka.test_kafka_carriers import LIMIT_S, answer, ask, replies
from tests.kafka.test_refusals import COUNT, TOPICS, Writer, corrupted, foreign
from tests.kafka_broker import KafkaBroker, kafka_broker, why_no_broker
from tests.kafka_ends import NAMES, Ends, all_ends, new_federation
from tests.processes import wait_until

REASON = why_no_broker()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))


def wrong_records(writer: Writer, count: int) -> list[Record]:
    """Corrupted, replayed, reordered and foreign records, mixed."""
    draw = random.Random(7)  # noqa: S311 # a test's
    bodies = {name: draw.randbytes(1500) for name in NAMES}
    some = []
    for name, body in bodies.items():
        # As a client's of a run of before: rightly signed, and long over.
        head = writer.head(name, REPLY, body, reply_to=f"asked-{name}")
        some += writer.records(TOPICS.updates, head, body)
        some += writer.records(
            TOPICS.heartbeats, writer.head(name, HEARTBEAT, b"[]", sequence=1), b"[]"
        )
    found: list[Record] = []
    while len(found) < count:
        found.append(
            (
                lambda: corrupted(draw, draw.choice(some), writer)[0],
                lambda: foreign(draw, writer)[0],
                lambda: draw.choice(some),
            )[len(found) % 3]()
        )
    draw.shuffle(found)
    return found


def write(broker: KafkaBroker, records: list[Record]) -> None:
    """Write them as anybody may who can reach the broker."""
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": broker.server})
    for record in records:
        producer.produce(record.topic, record.value, partition=record.partition)
        producer.poll(0)
    assert producer.flush(LIMIT_S) == 0


def dead_letters(broker: KafkaBroker, limit_s: float = 2.0) -> list[dict[str, object]]:
    """What stands in the topic of dead letters."""
    from confluent_kafka import Consumer, TopicPartition

    reader = Consumer({"bootstrap.servers": broker.server, "group.id": "people"})
    reader.assign([TopicPartition(TOPICS.dead_letters, 0, 0)])
    found, until = [], time.monotonic() + limit_s
    while time.monotonic() < until:
        come = [message for message in reader.consume(500, 0.2) if message.error() is None]
        found += [json.loads(message.value() or b"") for message in come]
    reader.close()
    return found


@pytest.mark.parametrize(
    "count", [600, pytest.param(COUNT, marks=[pytest.mark.long, pytest.mark.timeout(600)])]
)
def test_a_run_goes_on_among_wrong_records(tmp_path: Path, count: int) -> None:
    """None is taken, each is counted by its reason; what is written of them has no content."""
    keys = new_federation()
    records = wrong_records(Writer(keys), count)
    with (
        kafka_broker(tmp_path / "broker") as broker,
        all_ends(Ends(broker.url, tmp_path, keys)) as (server, clients),
    ):
        named = server.dead_letters.counts
        write(broker, records[: count // 2])
        ask(server, NAMES)
        asked = answer(clients, len(NAMES))
        write(broker, records[count // 2 :])
        wait_until(lambda: named.total() >= count, "all are named", limit_s=10 * LIMIT_S)
        found = replies(server, len(NAMES))
        assert sorted(reply.reply_to for reply in found) == sorted(asked)
        assert server.receive(0.5) == []
        assert named.total() - named["came again"] == count
        assert len(named) >= 9
        written = dead_letters(broker)
        assert written
        for dead in written:
            assert dead["reason"] in named
            assert dead["noted_by"] == "server"
            assert len(json.dumps(dead)) < 1500
