"""A real MLflow server on loopback: of a Python of its own, over SQLite and a scratch folder.

`GLEAN_MLFLOW` names its program: the whole of MLflow, which has no place in Glean's environment.
"""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from tests import processes

PROGRAM = os.environ.get("GLEAN_MLFLOW", "")
START_LIMIT_S = 120.0


class MlflowServer:
    """A server that can be killed and started again; what it has been told stays."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = processes.free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        words = ["--backend-store-uri", f"sqlite:///{self.folder / 'mlflow.db'}"]
        words += ["--artifacts-destination", str(self.folder / "artifacts")]
        words += ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
        quiet["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # processes that nobody needs
        env = processes.environment(self.folder, **quiet)
        env["PATH"] = f"{Path(PROGRAM).parent}{os.pathsep}{env['PATH']}"
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "server", *words],
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        processes.wait_until(self._answers, "MLflow answers", limit_s=START_LIMIT_S)

    def kill(self) -> None:
        """As `kill -9` does, with all that it started."""
        if self._process is None:
            return
        root = psutil.Process(self._process.pid)
        family = [root, *root.children(recursive=True)]
        processes.end(family)
        self._process.wait()
        self._process = None

    def client(self) -> Any:
        """MLflow's own client of it."""
        from glean.registry.tracking_server import quiet_mlflow

        quiet_mlflow()
        from mlflow import MlflowClient

        return MlflowClient(self.address, registry_uri=self.address)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()
        try:
            return httpx2.get(f"{self.address}/health", timeout=5).status_code == HTTPStatus.OK
        except httpx2.HTTPError:
            return False


@contextmanager
def serving_mlflow(folder: Path) -> Iterator[MlflowServer]:
    """Give a server that runs; ended with the body."""
    if not PROGRAM or shutil.which(PROGRAM) is None:
        pytest.skip("GLEAN_MLFLOW names no program: MLflow's server needs a Python of its own")
    pytest.importorskip("mlflow")
    server = MlflowServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        _close_sessions()


def _close_sessions() -> None:
    """Close what MLflow's client keeps open in this process, whichever test comes next.

    By `type`: `isinstance` would read `__class__` of all that there is, PyTorch's deprecated too.
    """
    import requests

    for found in gc.get_objects():
        if issubclass(type(found), requests.Session):
            found.close()
