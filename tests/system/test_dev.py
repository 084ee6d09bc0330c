"""`glean dev`: all of it comes up from what is there, answers, and goes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from glean.operations.development.rabbitmq_server import start_rabbitmq
from glean.operations.rehearsal.scene import Scene
from tests import processes, rabbitmq
from tests.processes import REPOSITORY, wait_until

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(420),
    pytest.mark.usefixtures("nothing_left"),
]

LIMIT_S = 300.0


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that another user can enter: PostgreSQL refuses to be root's."""
    with tempfile.TemporaryDirectory(prefix="glean-dev-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def run_by_a_worker(http: httpx2.Client) -> None:
    """Ask for a small run, and wait until a worker has run it."""
    settings = {"num-server-rounds": 1, "max-depth": 2, "baselines": False}
    body = {"engine": "inprocess", "bakeries": 3, "settings": settings}
    run_id = http.post("/api/v1/runs", json=body).json()["id"]

    def ended() -> bool:
        return str(http.get(f"/api/v1/runs/{run_id}").json()["status"]) in ("completed", "failed")

    wait_until(ended, "the run has ended", limit_s=LIMIT_S)
    found = http.get(f"/api/v1/runs/{run_id}").json()
    assert found["status"] == "completed", found
    assert found["worker"] in ("worker-1", "worker-2")


def test_all_of_it_comes_up_and_goes(tmp_path: Path, open_folder: Path) -> None:
    """Each part is real or stands in, and that is said; the service is ready, bakeries joined."""
    log, folder = tmp_path / "log", open_folder / "dev"
    # MLflow takes half a minute to come up; tests/registry has it.
    env = processes.environment(
        tmp_path / "flower", PYTHONPATH=str(REPOSITORY), GLEAN_MLFLOW=str(tmp_path / "none")
    )
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "glean", "dev", "--folder", str(folder)],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(
            lambda: "all of it is up" in log.read_text() or process.poll() is not None,
            "all of it is up",
            limit_s=LIMIT_S,
        )
        said = log.read_text()
        for part in ("database", "broker", "registry"):
            assert re.search(rf"^{part}: .*(, real|, stands in \(.+\))$", said, re.MULTILINE), said
        match = re.search(r"sign in at (\S+) with (\S+)", said)
        assert match is not None, said
        headers = {"Authorization": f"Bearer {match[2]}"}
        with httpx2.Client(base_url=match[1], headers=headers, verify=False, timeout=60) as http:
            ready = http.get("/readyz").json()
            assert ready.pop("ready")
            assert not any(ready.values()), ready
            states = [one["state"] for one in http.get("/api/v1/members").json()["members"]]
            run_by_a_worker(http)
        assert states == ["joined"] * 3
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(120) == 130
    finally:
        process.terminate()
        process.wait(60)
    assert "all of it is down" in log.read_text()
    assert "ended by itself" not in log.read_text().partition("all of it is up")[2]


@pytest.mark.skipif(rabbitmq.why_not() is not None, reason=rabbitmq.why_not() or "")
def test_nobody_enters_its_broker_as_guest(tmp_path: Path) -> None:
    """Whose password everybody knows who is on this machine; only who was told the address."""
    pika = pytest.importorskip("pika")
    scene = Scene(tmp_path)
    try:
        url = start_rabbitmq(scene)().url
        pika.BlockingConnection(pika.URLParameters(url)).close()
        password = url.rpartition("@")[0].removeprefix("amqp://")
        guest = pika.URLParameters(url.replace(password, "guest:guest"))
        with pytest.raises(pika.exceptions.ProbableAuthenticationError):
            pika.BlockingConnection(guest)
        assert (tmp_path / "rabbitmq" / "rabbitmq.conf").stat().st_mode & 0o077 == 0
    finally:
        scene.end()
