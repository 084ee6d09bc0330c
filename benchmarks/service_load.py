"""How `glean serve` bears many: 200 WebSockets and 50 requests a second while a run trains.

It says how long requests wait (from when they were due: a service that hangs hides nothing),
whether each watcher got every event of the run once, and then, with a hundred runs in the list and
nobody there, what memory and CPU the service and what it started take. The clients and the run are
on this machine too. Run `python -m benchmarks.service_load` (two minutes; --help names its
options).
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import httpx2
import numpy as np
import psutil
from websockets.asyncio.client import connect

from tests.service.served import Served, serving

MOST_P95_MS, MOST_IDLE_MB, MOST_IDLE_CPU = 250.0, 150.0, 0.01
"""Limits."""

RUN = {"num-server-rounds": 5000, "max-depth": 4, "baselines": False}
LAST_EVENTS_S = 20.0
"""How long watchers may take to get what came before the run's end."""


@dataclass(frozen=True)
class Size:
    """How much is asked of the service.

    Parameters
    ----------
    watchers : int
        WebSockets that watch the run.
    rate : int
        Requests a second.
    seconds, idle_seconds : int
        How long these come, and how long the idle service is watched.
    settle_seconds : int
        How long before that; the worker process ends after a minute without work.
    runs : int
        How many runs are in the list of the idle service.
    """

    watchers: int = 200
    rate: int = 50
    seconds: int = 20
    idle_seconds: int = 20
    settle_seconds: int = 50
    runs: int = 100


@dataclass(frozen=True)
class Load:
    """What was measured.

    Parameters
    ----------
    waits_ms : list of float
        Of each request.
    refused : int
        Requests that weren't answered by 200.
    events : int
        Of the run.
    incomplete : int
        Watchers that missed an event or got one twice.
    idle_mb : float
        Memory of the idle service and its processes.
    idle_cpu : float
        Share of a core that it takes.
    """

    waits_ms: list[float]
    refused: int
    events: int
    incomplete: int
    idle_mb: float
    idle_cpu: float

    def percentile(self, percent: float) -> float:
        """Milliseconds that so many per cent of the requests wait at most."""
        return float(np.percentile(self.waits_ms, percent))

    def misses(self) -> list[str]:
        """Give a line for each limit that isn't kept."""
        found = {
            f"p95: {self.percentile(95):.0f} ms; wanted under {MOST_P95_MS:.0f}": (
                self.percentile(95) >= MOST_P95_MS
            ),
            f"{self.refused} requests weren't answered": self.refused > 0,
            f"{self.incomplete} watchers didn't get every event once": self.incomplete > 0,
            f"idle: {self.idle_mb:.0f} MB; wanted under {MOST_IDLE_MB:.0f}": (
                self.idle_mb >= MOST_IDLE_MB
            ),
            f"idle: {self.idle_cpu:.2%} of a core; wanted under {MOST_IDLE_CPU:.0%}": (
                self.idle_cpu >= MOST_IDLE_CPU
            ),
        }
        return [line for line, missed in found.items() if missed]


def measure(size: Size, scratch: Path) -> Load:
    """Serve a scratch folder, load the service, and watch it idle."""
    with serving(scratch) as served:
        run_id = served.ask(**RUN)
        try:
            served.wait(run_id, "running", rounds=1)
            waits, refused, watched = asyncio.run(_load(served, run_id, size))
        finally:
            # It outlives the service, so it would outlive a measurement that is broken off.
            served.http.post(f"/api/v1/runs/{run_id}/stop")
        events = _events(served, run_id)
        incomplete = sum(numbers != events for numbers in watched)
        copy_run(scratch / "results", size.runs)
        time.sleep(size.settle_seconds)
        mb, cpu = _idle(served.process.pid, size.idle_seconds)
    return Load(waits, refused, len(events), incomplete, mb, cpu)


async def _load(
    served: Served, run_id: str, size: Size
) -> tuple[list[float], int, list[list[int]]]:
    watched: list[list[int]] = [[] for _ in range(size.watchers)]
    watchers = [asyncio.create_task(_watch(served, run_id, numbers)) for numbers in watched]
    async with httpx2.AsyncClient(
        base_url=served.address, headers=served.headers, timeout=60
    ) as http:
        await _until(lambda: all(watched))
        waits, refused = await _send(http, run_id, size)
        await http.post(f"/api/v1/runs/{run_id}/stop")
    last = len(_events(served, run_id))
    await _until(lambda: all(numbers[-1:] == [last] for numbers in watched))
    for watcher in watchers:
        watcher.cancel()
    await asyncio.gather(*watchers, return_exceptions=True)
    return waits, refused, watched


async def _watch(served: Served, run_id: str, numbers: list[int]) -> None:
    address = served.address.replace("http", "ws", 1)
    async with connect(
        f"{address}api/v1/runs/{run_id}/live", additional_headers=served.headers, open_timeout=60
    ) as socket:
        async for message in socket:
            # Not parsed as a whole: the client shares its cores with the service.
            number = str(message).partition(",")[0].removeprefix('{"number":')
            numbers.append(int(number))


async def _send(http: httpx2.AsyncClient, run_id: str, size: Size) -> tuple[list[float], int]:
    """Send requests when they are due, whether those before are answered or not."""
    run = f"/api/v1/runs/{run_id}"
    paths = cycle([run, "/api/v1/runs", f"{run}/events?limit=100", f"{run}/rounds", "/api/status"])
    waits: list[float] = []
    refused = 0

    async def one(path: str, due: float) -> None:
        nonlocal refused
        await asyncio.sleep(due - time.perf_counter())
        answer = await http.get(path)
        waits.append(1000 * (time.perf_counter() - due))
        refused += answer.status_code != 200

    began = time.perf_counter()
    count = size.rate * size.seconds
    await asyncio.gather(*(one(next(paths), began + k / size.rate) for k in range(count)))
    return waits, refused


async def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LAST_EVENTS_S
    while not condition() and time.monotonic() < deadline:
        await asyncio.sleep(0.05)


def _events(served: Served, run_id: str) -> list[int]:
    """Numbers of all events of a run."""
    numbers: list[int] = []
    while True:
        since = numbers[-1] if numbers else 0
        answer = served.http.get(f"/api/v1/runs/{run_id}/events?limit=10000&since={since}")
        fresh = [item["number"] for item in answer.json()["events"]]
        if not fresh:
            return numbers
        numbers += fresh


def copy_run(results: Path, runs: int) -> None:
    """Have so many runs in the results, all like the one there but for the model of each round."""
    first = next(results.glob("2*"))
    for number in range(1, runs):
        copy = results / f"20260101T000000Z-{8000 + number}"
        shutil.copytree(first, copy, ignore=shutil.ignore_patterns("models"))


def _idle(pid: int, seconds: int) -> tuple[float, float]:
    """Memory (MB) of a process and those it started, and their CPU seconds a second.

    Those that end in between aren't counted.
    """
    root = psutil.Process(pid)
    before = {process: _cpu_s(process) for process in [root, *root.children(recursive=True)]}
    time.sleep(seconds)
    tree = [process for process in before if process.is_running()]
    spent = sum(_cpu_s(process) - before[process] for process in tree)
    return sum(process.memory_info().rss for process in tree) / 2**20, spent / seconds


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def main() -> int:
    """Print what was measured; 1 when a limit was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in vars(Size()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    size = Size(**vars(parser.parse_args()))
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(size, Path(scratch))
    waits = ", ".join(f"p{p} {found.percentile(p):.0f} ms" for p in (50, 95, 99))
    print(f"{len(found.waits_ms)} requests, {size.rate} a second: {waits}")
    print(
        f"{size.watchers} watchers: {size.watchers - found.incomplete} got each of the run's "
        f"{found.events} events once"
    )
    print(f"idle, {size.runs} runs: {found.idle_mb:.0f} MB, {found.idle_cpu:.2%} of a core")
    misses = found.misses()
    for line in misses:
        print(f"missed: {line}")
    return int(bool(misses))


if __name__ == "__main__":
    sys.exit(main())
