"""The parts of a platform as processes of their own, each killed and brought back by name."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import httpx2

from tests import processes
from tests.processes import REPOSITORY


class KilledPart(Protocol):
    """What can be killed and started again on what it kept."""

    def start(self) -> None:
        """Start it; wait until it answers where others need that."""

    def kill(self) -> None:
        """End it as `kill -9` does."""


class GleanProcess:
    """`glean` with some words, started again with the same ones.

    Parameters
    ----------
    folder : Path
        Where it runs, and where its output goes.
    words : sequence of str
        What is typed behind `glean`.
    env : mapping
        Its variables, beside those of a user.
    """

    def __init__(
        self, folder: Path, words: Sequence[str], env: Mapping[str, str], *, name: str
    ) -> None:
        self._folder = folder
        self._words = list(words)
        self._env = processes.environment(
            folder / "flower", PYTHONPATH=str(REPOSITORY), **dict(env)
        )
        self._name = name
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def said(self) -> str:
        """All that it printed, of all its lives."""
        return (self._folder / f"{self._name}.log").read_text(errors="replace")

    def start(self) -> None:
        """Start it."""
        with self._log() as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "glean", *self._words],
                cwd=self._folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """End it, and nothing that it started: that is its own matter."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None

    def stop(self) -> None:
        """End it in good order."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        self._process = None

    def _log(self) -> IO[bytes]:
        return (self._folder / f"{self._name}.log").open("ab")


class GleanService(GleanProcess):
    """`glean serve` at one address, through all its lives.

    Parameters
    ----------
    folder, env
        As of `GleanProcess`.
    words : sequence of str
        Behind `glean serve --init --port PORT`.
    """

    def __init__(self, folder: Path, words: Sequence[str], env: Mapping[str, str]) -> None:
        self.port = processes.free_port()
        typed = ["serve", "--init", "--port", str(self.port), *words]
        super().__init__(folder, typed, env, name="service")
        self._http = httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        super().start()
        processes.wait_until(self.answers, "the service answers", limit_s=90)

    def stop(self) -> None:
        """End it in good order."""
        self._http.close()
        super().stop()

    def answers(self) -> bool:
        """Whether it does."""
        assert self._process is not None
        assert self._process.poll() is None, self.said[-3000:]
        try:
            return self._http.get("/healthz").is_success
        except httpx2.HTTPError:
            return False

    def ask(self, key: str, body: Mapping[str, Any]) -> str:
        """Ask for a run until that is answered; its id, the same for the same key."""
        found: list[str] = []

        def asked() -> bool:
            headers = {**self._headers, "Idempotency-Key": key}
            try:
                answer = self._http.post("/api/v1/runs", json=dict(body), headers=headers)
            except httpx2.HTTPError:
                return False
            assert answer.is_success or answer.is_server_error, answer.text
            if answer.is_success:
                found.append(answer.json()["id"])
            return bool(found)

        processes.wait_until(asked, f"the run {key} is asked for", limit_s=120)
        return found[0]

    def get(self, path: str) -> Any:
        """Give what a path of the API answers; None where it can't be asked."""
        try:
            answer = self._http.get(f"/api/v1/{path}", headers=self._headers)
        except httpx2.HTTPError:
            return None
        return answer.json() if answer.is_success else None

    @property
    def _headers(self) -> dict[str, str]:
        token = next(
            line.removeprefix("token: ")
            for line in self.said.splitlines()
            if line.startswith("token: ")
        )
        return {"Authorization": f"Bearer {token.strip()}"}


def environment_of_servers(database: str, broker: str, registry: str) -> dict[str, str]:
    """Give the variables by which Glean finds its servers: passwords stand in no command."""
    return {
        "GLEAN_DATABASE": database,
        "GLEAN_BROKER": broker,
        "MLFLOW_TRACKING_URI": registry,
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
    }
