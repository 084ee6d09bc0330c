"""Brokers of a cluster go down, are slow, answer with errors: each message is taken once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from glean.kafka.topics import Topics
from tests.kafka.test_kafka_carriers import (
    LIMIT_S,
    all_acknowledged,
    answer,
    ask,
    replies,
)
from tests.kafka_ends import NAMES, Ends, all_ends, new_federation
from tests.mock_kafka import (
    BROKERS,
    FETCH,
    INIT_PRODUCER_ID,
    MESSAGE_TOO_LARGE,
    METADATA,
    NOT_ENOUGH_REPLICAS,
    NOT_LEADER,
    PRODUCE,
    REQUEST_TIMED_OUT,
    TOPIC_AUTHORIZATION_FAILED,
    MockKafka,
    library,
    mock_kafka,
)
from tests.processes import wait_until

pytest.importorskip("confluent_kafka", reason="needs pip install 'glean[kafka]'")

LIBRARY = library()
pytestmark = pytest.mark.skipif(LIBRARY is None, reason="found no librdkafka beside its package")


@pytest.fixture
def cluster() -> Iterator[MockKafka]:
    """Three brokers, with the topics."""
    assert LIBRARY is not None
    with mock_kafka(LIBRARY, Topics("test").partitions) as found:
        yield found


@pytest.fixture
def ends(cluster: MockKafka, tmp_path: Path) -> Ends:
    """A federation on it."""
    return Ends(f"kafka://{cluster.servers}/test", tmp_path, new_federation())


@pytest.mark.slow
def test_each_broker_in_turn_goes_down(ends: Ends, cluster: MockKafka) -> None:
    """The others take over its partitions."""
    with all_ends(ends) as (server, clients):
        for broker in range(1, BROKERS + 1):
            cluster.down(broker)
            ask(server, NAMES, bytes(100_000))
            asked = answer(clients, len(NAMES))
            assert sorted(reply.reply_to for reply in replies(server, len(NAMES))) == sorted(asked)
            cluster.up(broker)
        wait_until(lambda: all_acknowledged(server, clients), "acknowledged", limit_s=LIMIT_S)


def test_answers_with_errors_are_asked_for_again(ends: Ends, cluster: MockKafka) -> None:
    """Whatever was asked."""
    with all_ends(ends) as (server, clients):
        cluster.slow(1, 100)
        cluster.fail(PRODUCE, [NOT_LEADER, REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS] * 3)
        cluster.fail(FETCH, [NOT_LEADER] * 5)
        cluster.fail(METADATA, [REQUEST_TIMED_OUT] * 2)
        cluster.fail(INIT_PRODUCER_ID, [REQUEST_TIMED_OUT])
        ask(server, NAMES)
        asked = answer(clients, len(NAMES))
        assert sorted(reply.reply_to for reply in replies(server, len(NAMES))) == sorted(asked)


def test_records_that_are_too_large_for_a_broker_become_smaller(
    ends: Ends, cluster: MockKafka
) -> None:
    """Half as large each time that it refuses one."""
    with all_ends(ends, NAMES[:1]) as (server, clients):
        before = server._connection.chunk_bytes
        cluster.fail(PRODUCE, [MESSAGE_TOO_LARGE])
        wait_until(lambda: server._connection.chunk_bytes < before, "smaller", limit_s=LIMIT_S)
        ask(server, NAMES[:1], bytes(2 * before))
        answer(clients, 1)
        assert len(replies(server, 1)[0].body) > 2 * before


@pytest.mark.parametrize("request_of", [PRODUCE, FETCH])
def test_a_right_that_is_missing_is_said_with_its_topic(
    ends: Ends, cluster: MockKafka, request_of: int
) -> None:
    """So that an operator knows which one to give."""
    with all_ends(ends, NAMES[:1]) as (server, clients):
        cluster.fail(request_of, [TOPIC_AUTHORIZATION_FAILED])
        several = [server, *clients.values()]
        wait_until(lambda: any(end.problem for end in several), "a problem", limit_s=LIMIT_S)
        problem = next(end.problem for end in several if end.problem)
        assert "Topic authorization failed" in problem
        assert any(f"/test: {topic}: " in problem for topic in Topics("test").all)
