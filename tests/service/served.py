"""`glean serve` in a process of its own, over a scratch folder, and who may do everything there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests import processes
from tests.processes import REPOSITORY
from tests.service.databases import url_for

WAIT_LIMIT_S = 90.0


class Served:
    """A service that runs, and who may do everything there."""

    def __init__(self, process: subprocess.Popen[str], address: str, token: str) -> None:
        self.process = process
        self.address = address
        self.token = token
        self.headers = {"Authorization": f"Bearer {token}"}
        self.http = httpx2.Client(base_url=address, headers=self.headers, timeout=60)

    def ask(self, **settings: Any) -> str:
        """Ask for a small run; its id."""
        body = {"engine": "inprocess", "bakeries": 3, "settings": settings}
        answer = self.http.post("/api/v1/runs", json=body)
        assert answer.status_code == 201, answer.text
        run_id: str = answer.json()["id"]
        return run_id

    def run(self, run_id: str) -> Any:
        return self.http.get(f"/api/v1/runs/{run_id}").json()

    def wait(
        self, run_id: str, *statuses: str, rounds: int = 0, limit_s: float = WAIT_LIMIT_S
    ) -> Any:
        """Wait until a run stands so and has done so many rounds."""
        processes.wait_until(
            lambda: (
                (found := self.run(run_id))["status"] in statuses and found["rounds_done"] >= rounds
            ),
            f"run {run_id} is {statuses}, {rounds} rounds",
            limit_s=limit_s,
        )
        return self.run(run_id)

    def kill(self) -> None:
        """As `kill -9` does."""
        self.http.close()
        self.process.kill()
        self.process.communicate()


@contextmanager
def serving(
    folder: Path, *words: str, token: str = "", env: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """`glean serve` on a free port, ended at the end of the body."""
    database = url_for(folder / "results" / ".service")
    own = {"PYTHONPATH": str(REPOSITORY), **({"GLEAN_DATABASE": database} if database else {})}
    env = {**processes.environment(folder / "flower", **own), **(env or {})}
    process = subprocess.Popen(
        [sys.executable, "-m", "glean", "serve", "--init", "--port", "0", *words],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        address = ""
        for line in process.stderr:
            if line.startswith("serving "):
                address = line.split()[1]
                break
        assert address, "it ended before it served"
        if not token:
            token = process.stdout.readline().removeprefix("token: ").strip()
        served = Served(process, address, token)
        with served.http:
            yield served
    finally:
        process.terminate()
        process.communicate(timeout=30)
