"""`glean serve` with a real RabbitMQ: every event arrives, whatever is killed meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from glean.broker.broker_url import BrokerUrl
from glean.broker.connection import BrokerConnection
from glean.broker.messages import RunMessage, event_message
from glean.broker.publisher import Publisher
from glean.broker.topology import RUNS
from tests import processes
from tests.rabbitmq import RabbitMQ, Received
from tests.service.served import Served, serving

pytestmark = pytest.mark.slow

SMALL = {"num-server-rounds": 2, "max-depth": 2, "baselines": False}
LONGER = {**SMALL, "num-server-rounds": 40}
ENDLESS = {**SMALL, "num-server-rounds": 1000}
LIMIT_S = 60.0
EXAMPLE = processes.REPOSITORY / "docs" / "examples" / "follow_runs.py"


def event_numbers(messages: list[Received], run_id: str) -> list[int]:
    """Give a run's in the order in which they came, without those that had come before."""
    found: dict[int, None] = {}
    for message in messages:
        if message.routing_key.startswith(f"glean.run.{run_id}."):
            number = (message.properties.headers or {})["event_number"]
            assert isinstance(number, int)
            found.setdefault(number)
    return list(found)


def written(served: Served, run_id: str) -> list[int]:
    """Numbers of the events in a run's file."""
    events = served.http.get(f"/api/v1/runs/{run_id}/events").json()["events"]
    return [event["number"] for event in events]


def problem(served: Served) -> str:
    """What `/readyz` says of the broker; the service is ready all the same."""
    answer = served.http.get("/readyz")
    assert answer.status_code == 200
    found: str = answer.json()["broker"]
    return found


def test_all_events_arrive_in_order_though_broker_and_service_are_killed(
    broker: RabbitMQ, tmp_path: Path
) -> None:
    """Of a run before there is a broker, and of one that both are killed under."""
    queue = broker.subscribe()
    broker.kill()
    words, env = ("--runs-at-once", "2"), {"GLEAN_BROKER": broker.url}
    with serving(tmp_path, *words, env=env) as served:
        processes.wait_until(lambda: "refused" in problem(served), "no broker", limit_s=LIMIT_S)
        assert "guest:guest" not in problem(served)
        first = served.ask(**SMALL)
        served.wait(first, "completed")
        broker.start()
        processes.wait_until(lambda: problem(served) == "", "a broker", limit_s=LIMIT_S)
        second = served.ask(**LONGER)
        served.wait(second, "running", rounds=2)
        broker.kill()
        served.wait(second, "running", "completed", rounds=10)
        served.kill()
    broker.start()
    with serving(tmp_path, *words, token=served.token, env=env) as again:
        again.wait(second, "completed")
        arrived: list[Received] = []
        wanted = {run_id: written(again, run_id) for run_id in (first, second)}

        def all_came() -> bool:
            arrived.extend(broker.drain(queue))
            return all(len(event_numbers(arrived, run)) >= len(wanted[run]) for run in wanted)

        processes.wait_until(all_came, "all events", limit_s=LIMIT_S)
        for run_id, numbers in wanted.items():
            assert event_numbers(arrived, run_id) == numbers
            assert len(numbers) > 3


def test_runs_that_wait_are_told_to_workers(broker: RabbitMQ, tmp_path: Path) -> None:
    """Those that the service may begin itself, too: whoever claims one in the database has it."""
    with serving(tmp_path, "--broker", broker.url) as served:
        begun = served.ask(**ENDLESS)
        served.wait(begun, "running", rounds=1)
        waiting = [served.ask(**SMALL) for _ in range(2)]
        told: list[RunMessage] = []

        def all_told() -> bool:
            told.extend(RunMessage.read(message.body) for message in broker.drain(RUNS))
            return {message.run_id for message in told} >= set(waiting)

        processes.wait_until(all_told, "messages", limit_s=LIMIT_S)
        found = [message for message in told if message.run_id != begun]
        assert found == [RunMessage(run_id, 0) for run_id in waiting]
        for run_id in (*waiting, begun):
            served.http.post(f"/api/v1/runs/{run_id}/stop")


def test_the_example_prints_each_event_once(broker: RabbitMQ) -> None:
    """Though the broker sends some twice: as `docs/platform.md` says it is called."""
    program = subprocess.Popen(
        [sys.executable, str(EXAMPLE), "test"],
        env={**os.environ, "GLEAN_BROKER": broker.url},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    try:
        processes.wait_until(lambda: broker.has("follow-test"), "its queue", limit_s=LIMIT_S)
        publisher = Publisher(BrokerConnection(BrokerUrl(broker.url)))
        for number in (1, 2, 1, 2, 3, 2, 1_000_001, 4, 3):
            row = {"event": "round_finished", "round": number % 1_000_000}
            publisher.send(event_message("r1", number, row))
        publisher.close()
        printed = [program.stdout.readline() for _ in range(5)]
    finally:
        program.kill()
        program.communicate()
    numbers = [int(line.split()[1]) for line in printed]
    assert numbers == [1, 2, 3, 1_000_001, 4], "what an attempt left may come late"
