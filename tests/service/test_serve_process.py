"""`glean serve` as it is typed: killed, started again, and what happens to its runs."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from websockets.sync.client import connect

from glean.runs.index import GONE
from tests import processes
from tests.service.served import Served, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("nothing_left"),
    pytest.mark.skipif(sys.platform == "win32", reason="signals and sessions are POSIX's"),
]

FAILED_WITHIN_S = 10.0
ENDLESS = {"num-server-rounds": 1000, "max-depth": 2, "baselines": False}


def worker_of(folder: Path, run_id: str) -> int:
    described = json.loads(
        (folder / "results" / ".service" / "requests" / run_id / "process.json").read_text()
    )
    pid: int = described["pid"]
    return pid


def events_by_socket(served: Served, run_id: str, since: int, count: int) -> list[Any]:
    """Watch until so many events have come."""
    address = served.address.replace("http", "ws")
    path = f"{address}api/v1/runs/{run_id}/live?since={since}"
    with connect(path, additional_headers=served.headers) as socket:
        return [json.loads(socket.recv(timeout=60)) for _ in range(count)]


def test_runs_survive_a_service_that_is_killed(tmp_path: Path) -> None:
    """Two go on; the next service finds both, and who watches misses nothing and sees no two."""
    with serving(tmp_path, "--runs-at-once", "2") as first:
        token = first.token
        runs = [first.ask(**{"num-server-rounds": 12, "max-depth": 2}) for _ in range(2)]
        for run_id in runs:
            first.wait(run_id, "running", "completed", rounds=1)
        seen = events_by_socket(first, runs[0], since=0, count=2)
        first.kill()
    with serving(tmp_path, "--runs-at-once", "2", token=token) as second:
        for run_id in runs:
            found = second.wait(run_id, "completed", "failed")
            assert (found["status"], found["rounds_done"]) == ("completed", 12), found["reason"]
        folder = tmp_path / "results" / next((tmp_path / "results").glob("2*")).name
        whole = second.http.get(f"/api/v1/runs/{runs[0]}/events").json()["events"]
        seen += events_by_socket(second, runs[0], since=2, count=len(whole) - 2)
        assert seen == whole
        assert [item["number"] for item in seen] == list(range(1, len(whole) + 1))
        assert len(second.http.get("/api/v1/runs").json()["runs"]) == 2
        assert folder.is_dir()


def test_a_run_that_is_killed_has_failed_within_seconds(tmp_path: Path) -> None:
    """With a reason that says how to go on; the one that waited behind it begins."""
    with serving(tmp_path) as served:
        killed, waiting = served.ask(**ENDLESS), served.ask(**ENDLESS)
        served.wait(killed, "running", rounds=1)
        os.kill(worker_of(tmp_path, killed), signal.SIGKILL)
        began = time.monotonic()
        found = served.wait(killed, "failed")
        assert time.monotonic() - began < FAILED_WITHIN_S
        assert found["reason"] == GONE
        served.wait(waiting, "running", rounds=1)
        stopped = served.http.post(f"/api/v1/runs/{waiting}/stop").json()
        assert (stopped["status"], stopped["reason"]) == ("failed", "interrupted")
        resumed = served.http.post(
            "/api/v1/runs", json={"engine": "inprocess", "resume": killed, "settings": {}}
        )
        assert resumed.status_code == 201, resumed.text
        run_id = resumed.json()["id"]
        assert served.wait(run_id, "running", rounds=2)["settings"]["resume"]
        served.http.post(f"/api/v1/runs/{run_id}/stop")


def test_a_run_killed_before_it_began_has_failed(tmp_path: Path) -> None:
    """It has no folder that could say so."""
    with serving(tmp_path) as served:
        run_id = served.ask(**ENDLESS)
        path = tmp_path / "results" / ".service" / "requests" / run_id / "process.json"
        processes.wait_until(path.is_file, "the run's process says who it is")
        pid = worker_of(tmp_path, run_id)
        psutil.Process(pid).kill()
        found = served.wait(run_id, "failed")
        assert "without a word" in found["reason"] or found["reason"] == GONE


def test_the_first_token_is_made_once(tmp_path: Path) -> None:
    """Who starts the service again is told that there is one."""
    with serving(tmp_path) as served:
        assert served.http.get("/api/v1/myself").json()["scope"] == "admin"
    with serving(tmp_path, token=served.token) as again:
        assert again.http.get("/api/v1/myself").status_code == 200
