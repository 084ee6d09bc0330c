"""`glean worker --broker` beside `glean serve --broker`, over a real RabbitMQ that is killed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from glean.broker.topology import RUNS
from tests import processes
from tests.rabbitmq import RabbitMQ, Received
from tests.service.served import serving
from tests.service.test_broker_service import LIMIT_S, event_numbers
from tests.service.working import working

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform == "win32", reason="signals and sessions are POSIX's"),
]

RUN = {"num-server-rounds": 3, "max-depth": 2, "baselines": False}


def test_each_run_ends_once_and_its_events_arrive_though_the_broker_is_killed(
    broker: RabbitMQ, tmp_path: Path
) -> None:
    """Both workers begin without a broker; one of them is killed in the middle of a run."""
    queue = broker.subscribe()
    broker.kill()
    env = {"GLEAN_BROKER": broker.url}
    with serving(tmp_path, "--runs-at-once", "0", env=env) as served:
        runs = [served.ask(**RUN)]
        with working(tmp_path, "one", broker=broker.url):
            served.wait(runs[0], "completed")
            broker.start()
            runs += [served.ask(**RUN) for _ in range(2)]
            with working(tmp_path, "two", broker=broker.url) as two:
                served.wait(runs[1], "running", "completed", rounds=1)
                broker.kill()
                two.kill()
                broker.start()
                ended = [served.wait(run_id, "completed", "failed") for run_id in runs]
        assert [run["status"] for run in ended] == ["completed"] * 3
        arrived: list[Received] = []

        def all_came() -> bool:
            arrived.extend(broker.drain(queue))
            kinds = [one.routing_key for one in arrived]
            return all(f"glean.run.{run_id}.run_finished" in kinds for run_id in runs)

        processes.wait_until(all_came, "all events", limit_s=LIMIT_S)
        for run_id in runs:
            numbers = event_numbers(arrived, run_id)
            assert numbers == sorted(numbers)
            whole = served.http.get(f"/api/v1/runs/{run_id}/events").json()["events"]
            first = (max(numbers) - 1) // 1_000_000 * 1_000_000
            assert [number - first for number in numbers if number > first] == [
                event["number"] for event in whole
            ]
        processes.wait_until(lambda: broker.waiting(RUNS) == 0, "an empty queue", limit_s=LIMIT_S)
