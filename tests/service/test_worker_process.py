"""`glean worker` as a process: killed, ended and handed on, beside a service that runs nothing."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from glean.runs.index import find_run
from tests import processes
from tests.service.served import Served, serving
from tests.service.working import working

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("nothing_left"),
    pytest.mark.skipif(sys.platform == "win32", reason="signals and sessions are POSIX's"),
]

ROUNDS = 100
MANY: dict[str, Any] = {"num-server-rounds": ROUNDS, "max-depth": 2, "baselines": False}


def model_of(served: Served, tmp_path: Path, run_id: str) -> bytes:
    folder = find_run(tmp_path / "results", served.run(run_id)["flower_id"])
    assert folder is not None
    return (folder / "model.ubj").read_bytes()


def test_a_run_outlives_its_workers_and_ends_once_with_the_same_model(tmp_path: Path) -> None:
    """One worker is killed, the next is told to end; the third goes on from where they were."""
    with serving(tmp_path, "--runs-at-once", "0") as served:
        assert "no worker is there" in served.http.get("/readyz").json()["workers"]
        run_id = served.ask(**MANY)
        with working(tmp_path, "first") as first:
            served.wait(run_id, "running", rounds=2)
            first.kill()
        with working(tmp_path, "second") as second:
            processes.wait_until(lambda: served.run(run_id)["worker"] == "second", "it's taken")
            begun = served.wait(run_id, "running", rounds=4)
            assert begun["attempt"] == 2
            second.send_signal(signal.SIGTERM)
            assert second.wait(60) == 0
        handed_back = served.run(run_id)
        assert (handed_back["status"], handed_back["worker"]) == ("queued", "")
        whole = served.ask(**MANY)
        with working(tmp_path, "third"):
            found = served.wait(run_id, "completed", "failed")
            served.wait(whole, "completed", "failed")
        assert (found["status"], found["worker"], found["attempt"]) == ("completed", "third", 3)
        assert found["settings"]["resume"]
        assert model_of(served, tmp_path, run_id) == model_of(served, tmp_path, whole)
        listed = served.http.get("/api/v1/runs").json()["runs"]
        assert sorted(run["id"] for run in listed) == sorted([run_id, whole])


def test_a_run_is_stopped_on_its_worker_which_goes_on_with_the_next(tmp_path: Path) -> None:
    """Whoever asks is answered once it has ended."""
    with serving(tmp_path, "--runs-at-once", "0") as served, working(tmp_path, "only"):
        endless = served.ask(**MANY | {"num-server-rounds": 1000})
        following = served.ask(**MANY | {"num-server-rounds": 2})
        served.wait(endless, "running", rounds=1)
        began = time.monotonic()
        stopped = served.http.post(f"/api/v1/runs/{endless}/stop").json()
        assert (stopped["status"], stopped["reason"]) == ("failed", "interrupted")
        assert time.monotonic() - began < 20
        assert served.wait(following, "completed", "failed")["status"] == "completed"
