"""What is said to a real RabbitMQ, and heard from it, also where it is killed meanwhile."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from glean.broker.back_off import BackOff
from glean.broker.broker_url import BrokerUrl
from glean.broker.connection import BrokerConnection, BrokerError
from glean.broker.messages import OutgoingMessage, RunMessage, event_message
from glean.broker.publisher import Publisher
from glean.broker.run_consumer import RunConsumer
from glean.broker.topology import DEAD_RUNS, RUNS
from tests import processes
from tests.rabbitmq import RabbitMQ

pytestmark = pytest.mark.slow

WAIT_S = 10.0
MOMENT_S = 0.2


@pytest.fixture
def publisher(broker: RabbitMQ) -> Iterator[Publisher]:
    found = Publisher(connection(broker))
    yield found
    found.close()


@pytest.fixture
def consumer(broker: RabbitMQ) -> Iterator[RunConsumer]:
    found = RunConsumer(connection(broker))
    yield found
    found.close()


def connection(broker: RabbitMQ) -> BrokerConnection:
    return BrokerConnection(BrokerUrl(broker.url))


def ask(publisher: Publisher, run_id: str, priority: int = 0) -> None:
    publisher.send(RunMessage(run_id, 0).to_outgoing(priority=priority))


def taken(consumer: RunConsumer) -> str:
    """Take the next run; its id."""
    found = consumer.next(WAIT_S)
    assert found is not None
    consumer.take(found)
    return found.message.run_id


def test_runs_are_taken_by_priority_and_then_in_turn(
    publisher: Publisher, consumer: RunConsumer, broker: RabbitMQ
) -> None:
    """One by one; and while one is done no other is held back from other workers."""
    for run_id, priority in (("a", 0), ("b", 0), ("c", 9), ("d", 5), ("e", 9)):
        ask(publisher, run_id, priority)
    assert publisher.waiting_runs() == 5
    assert [taken(consumer) for _ in range(3)] == ["c", "e", "d"]
    assert broker.waiting(RUNS) == 2
    assert [taken(consumer), taken(consumer)] == ["a", "b"]
    assert consumer.next(MOMENT_S) is None


def test_a_worker_that_is_gone_before_it_took_a_run_leaves_it_to_another(
    publisher: Publisher, consumer: RunConsumer, broker: RabbitMQ
) -> None:
    """It holds one at most, so that the other begins the next one meanwhile."""
    other = RunConsumer(connection(broker))
    ask(publisher, "a")
    ask(publisher, "b")
    first, second = consumer.next(WAIT_S), other.next(WAIT_S)
    assert first is not None
    assert second is not None
    assert {first.message.run_id, second.message.run_id} == {"a", "b"}
    consumer.close()
    other.drop(second)
    again = other.next(WAIT_S)
    assert again is not None
    assert again.message == first.message
    other.take(again)


def test_an_unreadable_message_goes_to_the_dead_letters_with_its_reason(
    publisher: Publisher, consumer: RunConsumer, broker: RabbitMQ
) -> None:
    """And the run behind it is done."""
    consumer.next(MOMENT_S)
    broker.put(RUNS, b"hello")
    ask(publisher, "a")
    assert taken(consumer) == "a"
    (dead,) = broker.drain(DEAD_RUNS)
    assert dead.body == b"hello"
    assert dead.properties.headers == {
        "reason": 'found no JSON in a message of glean.runs; wanted {"run": ID, "attempt": NUMBER}'
    }
    assert broker.waiting(RUNS) == 0


def test_a_run_that_was_given_up_lies_there_too(publisher: Publisher, broker: RabbitMQ) -> None:
    """With why."""
    publisher.send(RunMessage("a", 3).to_dead_message("three workers died of it"))
    (dead,) = broker.drain(DEAD_RUNS)
    assert RunMessage.read(dead.body) == RunMessage("a", 3)
    assert dead.properties.headers == {"reason": "three workers died of it"}


def test_events_go_to_whoever_asked_for_their_topic(publisher: Publisher, broker: RabbitMQ) -> None:
    """By run and by kind; an event that nobody wants is no error."""
    of_run, of_kind = broker.subscribe("glean.run.r1.#"), broker.subscribe("glean.run.*.ended")
    for run_id, number, kind in (("r1", 1, "begun"), ("r2", 1, "begun"), ("r2", 2, "ended")):
        publisher.send(event_message(run_id, number, {"event": kind}))
    assert [found.properties.message_id for found in broker.drain(of_run)] == ["r1/1"]
    (ended,) = broker.drain(of_kind)
    assert ended.routing_key == "glean.run.r2.ended"
    assert ended.properties.headers == {"event_number": 2}
    assert ended.properties.delivery_mode == 2


def test_a_run_without_a_queue_is_not_confirmed(publisher: Publisher, broker: RabbitMQ) -> None:
    """Somebody took the queue away: the next try makes it again."""
    ask(publisher, "a")
    with broker.channel() as channel:
        channel.queue_delete(RUNS)
    with pytest.raises(BrokerError):
        ask(publisher, "b")
    send(publisher, RunMessage("b", 0).to_outgoing())
    assert broker.waiting(RUNS) == 1


def test_what_was_confirmed_outlives_a_kill_and_the_rest_is_refused(
    publisher: Publisher, consumer: RunConsumer, broker: RabbitMQ, caplog: pytest.LogCaptureFixture
) -> None:
    """Then all of it goes on by itself, with nothing in the log but what is said here."""
    caplog.set_level(logging.DEBUG)
    queue = broker.subscribe()
    ask(publisher, "a")
    assert consumer.next(WAIT_S) is not None
    publisher.send(event_message("a", 1, {"event": "begun"}))
    broker.kill()
    with pytest.raises(BrokerError, match=r"amqp://guest:\*\*\*@127.0.0.1"):
        publisher.send(event_message("a", 2, {"event": "ended"}))
    assert "guest:guest" not in publisher.problem
    with pytest.raises(BrokerError):
        consumer.next(WAIT_S)
    broker.start()
    send(publisher, event_message("a", 2, {"event": "ended"}))
    assert publisher.problem == ""
    assert [found.properties.message_id for found in broker.drain(queue)] == ["a/1", "a/2"]
    assert taken_at_last(consumer) == "a"
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_broker_that_is_killed_between_a_message_and_its_confirmation_gets_it_again(
    publisher: Publisher, broker: RabbitMQ
) -> None:
    """It takes the message and dies before it has said so."""
    queue = broker.subscribe()
    publisher.send(event_message("a", 1, {"event": "begun"}))
    broker.suspend()
    with ThreadPoolExecutor() as pool:
        sent = pool.submit(publisher.send, event_message("a", 2, {"event": "ended"}))
        with pytest.raises(TimeoutError):
            sent.result(MOMENT_S)
        broker.kill()
        with pytest.raises(BrokerError):
            sent.result(WAIT_S)
    broker.start()
    send(publisher, event_message("a", 2, {"event": "ended"}))
    found = dict.fromkeys(one.properties.message_id for one in broker.drain(queue))
    assert list(found) == ["a/1", "a/2"]


def test_a_broker_that_is_not_there_is_not_asked_all_the_time() -> None:
    """Between two tries it is refused at once, with the reason of the first."""
    now = [0.0]
    back_off = BackOff(clock=lambda: now[0], draw=lambda: 1.0)
    url = BrokerUrl(f"amqp://guest:secret@127.0.0.1:{processes.free_port()}")
    publisher = Publisher(BrokerConnection(url, back_off))
    reasons = []
    for _ in range(2):
        with pytest.raises(BrokerError, match="Connection refused") as refused:
            publisher.waiting_runs()
        reasons.append(refused.value)
    assert reasons[0].__cause__ is not None
    assert reasons[1].__cause__ is None


def test_a_wrong_password_is_told_without_it(broker: RabbitMQ) -> None:
    """As the broker says it."""
    url = BrokerUrl(broker.url.replace("guest:guest", "guest:wrong"))
    with pytest.raises(BrokerError, match="Login was refused") as refused:
        Publisher(BrokerConnection(url)).waiting_runs()
    assert "wrong" not in str(refused.value)


def send(publisher: Publisher, message: OutgoingMessage) -> None:
    """Send until it is confirmed."""

    def sent() -> bool:
        try:
            publisher.send(message)
        except BrokerError:
            return False
        return True

    processes.wait_until(sent, "a confirmation", limit_s=WAIT_S)


def taken_at_last(consumer: RunConsumer) -> str:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            return taken(consumer)
        except BrokerError:
            time.sleep(MOMENT_S)
    raise AssertionError("nothing to take")
