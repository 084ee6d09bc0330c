"""Ten runs while everything that they need is killed, twenty times, at random moments."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glean.service.runs.event_outbox import first_number
from glean.service.store.database import Database
from glean.service.store.tables import RunRow
from tests import processes
from tests.postgres import Cluster
from tests.whole_platform import WORKERS, Platform, running_platform

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

RUNS, KILLS = 10, 20
SEED = 19
END_LIMIT_S = 600.0

SETTINGS: tuple[dict[str, Any], ...] = (
    {"workload": "iris", "num-server-rounds": 800},
    {"num-server-rounds": 160, "baselines": False, "test-days": 28},
)
"""Half a minute each: as long as there are kills, something is being run."""


@pytest.fixture
def platform(tmp_path: Path, own_postgres: Cluster) -> Iterator[Platform]:
    """All parts, each of which may be killed."""
    with running_platform(tmp_path, own_postgres) as found:
        yield found


def test_each_run_ends_once_whatever_is_killed(platform: Platform) -> None:
    # Nothing is lost and nothing done twice: runs, events and registered models are counted.
    draw = random.Random(SEED)  # noqa: S311 # moments, no secrets
    asked: list[str] = []
    for victim in _victims(draw):
        for _ in range(min(2, RUNS - len(asked))):
            asked.append(_ask(platform, len(asked)))
        if victim in WORKERS:
            _wait_until_it_runs(platform, victim, asked)
        time.sleep(draw.uniform(0.0, 4.0))  # the random moment
        platform.parts[victim].kill()
        time.sleep(draw.uniform(0.0, 3.0))
        platform.parts[victim].start()
    rows = _ended_rows(platform, asked)

    assert {row.id: (row.status, row.reason) for row in rows} == dict.fromkeys(
        asked, ("completed", "")
    )
    assert any(row.attempt > 1 for row in rows), "no kill met a run: the test has shown nothing"
    expected = _events_on_disk(platform.folder / "results", rows)
    received = _received_events(platform, expected)
    assert received == expected
    ends = Counter(
        run
        for (run, _), event in received.items()
        if event["event"] == "run_finished" and event["status"] == "completed"
    )
    assert ends == dict.fromkeys(asked, 1)
    assert _registered(platform, asked) == Counter(row.flower_id for row in rows)


def _victims(draw: random.Random) -> list[str]:
    """Each kind of part four times, in a random order; of the workers each twice."""
    kinds = ["database", "broker", "registry", "service"] * 4 + [*WORKERS] * 2
    assert len(kinds) == KILLS
    draw.shuffle(kinds)
    return kinds


def _wait_until_it_runs(platform: Platform, worker: str, asked: list[str]) -> None:
    """Wait until a worker has a run, unless all have ended."""

    def has_one() -> bool:
        found = [platform.service.get(f"runs/{run_id}") for run_id in asked]
        shown = [run for run in found if run]
        ended = sum(run["status"] == "completed" for run in shown)
        return ended == len(asked) or any(
            run["worker"] == worker and run["status"] == "running" for run in shown
        )

    processes.wait_until(has_one, f"{worker} runs something", limit_s=120)


def _ask(platform: Platform, number: int) -> str:
    body = {"engine": "inprocess", "bakeries": 3, "settings": SETTINGS[number % len(SETTINGS)]}
    if not platform.service.answers():
        processes.wait_until(platform.service.answers, "the service answers", limit_s=90)
    return platform.service.ask(f"run-{number}", body)


def _ended_rows(platform: Platform, asked: list[str]) -> list[RunRow]:
    """Wait until all runs have ended, then read what the queue keeps of them."""

    def all_ended() -> bool:
        found = [platform.service.get(f"runs/{run_id}") for run_id in asked]
        return all(run and run["status"] in ("completed", "failed") for run in found)

    processes.wait_until(all_ended, "all runs have ended", limit_s=END_LIMIT_S)
    database = Database(platform.database)
    try:
        with database.transaction() as session:
            rows = [session.get(RunRow, run_id) for run_id in asked]
    finally:
        database.close()
    return [row for row in rows if row is not None]


def _events_on_disk(results: Path, rows: list[RunRow]) -> dict[tuple[str, int], dict[str, Any]]:
    """Give the events of all attempts of all runs by run and number, as their folders have them."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for row in rows:
        # One that completed and couldn't say so is the run's, under its own attempt's numbers.
        last = [] if row.flower_id in row.earlier else [row.flower_id]
        for attempt, flower_id in enumerate([*row.earlier, *last], 1):
            for path in results.glob(f"*-{flower_id}/events.jsonl") if flower_id else ():
                lines = path.read_bytes().split(b"\n")[:-1]
                for number, line in enumerate(lines, first_number(attempt) + 1):
                    event = json.loads(line)
                    # An event says under this name which run it is of; a folder isn't published.
                    event.pop("run", None)
                    found[row.id, number] = event
    return found


def _received_events(
    platform: Platform, expected: dict[tuple[str, int], dict[str, Any]]
) -> dict[tuple[str, int], dict[str, Any]]:
    """Give what a consumer has that leaves out what it had; wait until it has as much as is due."""
    found: dict[tuple[str, int], dict[str, Any]] = {}

    def all_there() -> bool:
        for message in platform.broker.drain(platform.events):
            event = json.loads(message.body)
            assert message.properties.headers is not None
            key: tuple[str, int] = event.pop("run"), event.pop("number")
            assert message.properties.headers["event_number"] == key[1]
            found.setdefault(key, event)
        return found.keys() >= expected.keys()

    processes.wait_until(all_there, "all events have arrived", limit_s=120)
    return found


def _registered(platform: Platform, asked: list[str]) -> Counter[str]:
    """Count the versions of the model by the run that made them, once there are as many as runs."""
    client = platform.registry.client()

    def versions() -> list[Any]:
        return list(client.search_model_versions("name = 'glean'"))

    processes.wait_until(lambda: len(versions()) >= len(asked), "ten versions", limit_s=240)
    return Counter(
        client.get_run(version.run_id).data.tags["glean.run_id"] for version in versions()
    )
