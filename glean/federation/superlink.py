"""A SuperLink of our own for one simulation: its own port and home, ended with all it started."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from glean.errors import FederationError
from glean.settings import ConfigValue

START_LIMIT_S = 90.0
END_LIMIT_S = 5.0
POLL_S = 0.1
_CONNECTION = "glean"


@dataclass(frozen=True)
class SuperLink:
    """A running SuperLink.

    Parameters
    ----------
    home : Path
        Its FLWR_HOME, with its log and the connection to it.
    process : psutil.Process
        The server's process.
    environment : dict of str to str
        What its commands need in their environment.
    """

    home: Path
    process: psutil.Process
    environment: dict[str, str]

    @property
    def log(self) -> Path:
        """Where it writes its log."""
        return self.home / "superlink.log"

    def alive(self) -> bool:
        """Whether the server still runs."""
        return self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE

    def submit(
        self,
        app: Path,
        *,
        run_config: Mapping[str, ConfigValue],
        profile: Mapping[str, ConfigValue],
    ) -> int:
        """Start a run.

        Parameters
        ----------
        app : Path
            Folder of the Flower app.
        run_config, profile : mapping
            Overrides of the app's run config; resources of the simulation (flat keys).

        Returns
        -------
        int
            Id of the run.

        Raises
        ------
        FederationError
            Flower refused it; with Flower's words.
        """
        config, resources = self.home / "run-config.toml", self.home / "profile.toml"
        config.write_text(_toml(run_config), encoding="utf-8")
        resources.write_text(_toml(profile), encoding="utf-8")
        options = ["--run-config", str(config), "--federation-config", str(resources)]
        answer = self._flwr("run", str(app), _CONNECTION, *options, "--format", "json")
        if not answer.get("run-id"):
            raise FederationError(f"Flower didn't start the run: {answer}")
        return int(answer["run-id"])

    def status(self, run_id: int) -> str:
        """Flower's word on a run, like "finished:failed". Costs seconds: ask sparingly."""
        answer = self._flwr("list", _CONNECTION, "--run-id", str(run_id), "--format", "json")
        return str(answer["runs"][0]["status"])

    def _flwr(self, *words: str) -> dict[str, Any]:
        done = subprocess.run(  # noqa: S603 - our own words to Flower's own command
            [_script("flwr"), *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        start = done.stdout.find("{")
        try:
            answer: dict[str, Any] = json.loads(done.stdout[start:])
        except ValueError:
            raise FederationError(
                f"flwr {words[0]} failed: {(done.stderr or done.stdout).strip()}"
            ) from None
        if not answer.get("success"):
            raise FederationError(f"flwr {words[0]}: {answer.get('error-message', answer)}")
        return answer


@contextmanager
def local_superlink(home: Path) -> Iterator[SuperLink]:
    """Start a SuperLink on free ports of this machine; end it and its children afterwards.

    Raises
    ------
    FederationError
        It doesn't come up; with the end of its log.
    """
    port, control_port = _free_ports(2)
    home.mkdir(parents=True, exist_ok=True)
    (home / "config.toml").write_text(
        f'[superlink.{_CONNECTION}]\naddress = "127.0.0.1:{port}"\ninsecure = true\n',
        encoding="utf-8",
    )
    environment = _environment(home)
    process = subprocess.Popen(  # noqa: S603
        [
            _script("flower-superlink"), "--insecure", "--simulation",
            "--isolation", "subprocess", "--disable-runtime-dependency-installation",
            "--control-api-address", f"127.0.0.1:{control_port}",
            "--host", "127.0.0.1", "--port", str(port),
        ],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=(home / "superlink.log").open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    superlink = SuperLink(home, psutil.Process(process.pid), environment)
    try:
        _wait_until_healthy(superlink, port)
        yield superlink
    finally:
        end_tree(superlink.process)
        process.wait()


def end_tree(root: psutil.Process) -> None:
    """End a process and all that it started: politely, then after a few seconds by force."""
    try:
        tree = [*root.children(recursive=True), root]
    except psutil.NoSuchProcess:
        return
    for ask in (psutil.Process.terminate, psutil.Process.kill):
        for process in tree:
            try:
                ask(process)
            except psutil.NoSuchProcess:
                continue
        _, tree = psutil.wait_procs(tree, timeout=END_LIMIT_S)


def _wait_until_healthy(superlink: SuperLink, port: int) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and superlink.alive():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1.0):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(POLL_S)
    log = superlink.log.read_text(encoding="utf-8", errors="replace")
    raise FederationError(f"the SuperLink didn't come up; its log ends:\n{log[-2000:]}")


def _environment(home: Path) -> dict[str, str]:
    """Environment of the SuperLink: its own home, no installs at run time, one thread a learner."""
    return os.environ | {
        "FLWR_HOME": str(home),
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        "OMP_NUM_THREADS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }


def _script(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return [int(item.getsockname()[1]) for item in sockets]
    finally:
        for item in sockets:
            item.close()


def _toml(flat: Mapping[str, ConfigValue]) -> str:
    """Write flat keys as TOML; JSON's strings, numbers and booleans are TOML's."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in flat.items())
