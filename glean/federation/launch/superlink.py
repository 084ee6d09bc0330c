"""A SuperLink of our own for one simulation: its own port and home, ended with all it started."""

from __future__ import annotations

import os
import re
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

import psutil

from glean.errors import FederationError
from glean.federation.launch.flwr_cli import FlwrCli
from glean.federation.launch.watchdog import watch
from glean.runs.process_tree import end_tree, signals_held_back

START_LIMIT_S = 90.0
POLL_S = 0.1
_CONNECTION = "glean"
_CARRIER = "flwr-simulation"


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
    def cli(self) -> FlwrCli:
        """Flower's commands to it."""
        return FlwrCli(_CONNECTION, self.home, self.environment)

    @property
    def log(self) -> Path:
        """Where it writes its log."""
        return self.home / "superlink.log"

    def alive(self) -> bool:
        """Whether the server still runs."""
        return self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE

    def end(self) -> None:
        """End it and all that it started; once more does no harm."""
        end_tree(self.process)

    def started_run(self) -> int | None:
        """Id of the run that it has started, by its log; None while there is none."""
        found = re.search(r"Created run (\d+)", self._log_text())
        return int(found.group(1)) if found else None

    def seems_done(self) -> bool:
        """Whether a run may have ended: its log says so, or the process that carries it is gone.

        Only a hint, which costs little; `FlwrCli.status` is the truth.
        """
        return "Finished task" in self._log_text() or not self.carries_a_run()

    def carries_a_run(self) -> bool:
        """Whether the process in which Flower runs a ServerApp is there."""
        return any(_carries(process) for process in self._offspring())

    def _offspring(self) -> list[psutil.Process]:
        try:
            return self.process.children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def _log_text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""


def _carries(process: psutil.Process) -> bool:
    try:
        return any(Path(word).name == _CARRIER for word in process.cmdline()[:2])
    except psutil.NoSuchProcess:
        return False


@contextmanager
def local_superlink(home: Path) -> Iterator[SuperLink]:
    """Start a SuperLink on free ports of this machine; end it and its children afterwards.

    They end too when this process is killed.

    Raises
    ------
    FederationError
        It doesn't come up; with the end of its log.
    """
    port, control_port = free_ports(2)
    home.mkdir(parents=True, exist_ok=True)
    (home / "config.toml").write_text(
        f'[superlink.{_CONNECTION}]\naddress = "127.0.0.1:{port}"\ninsecure = true\n',
        encoding="utf-8",
    )
    environment = _environment(home)
    superlink: SuperLink | None = None
    watcher: subprocess.Popen[bytes] | None = None
    try:
        with signals_held_back():
            process = _start(port, control_port, home / "superlink.log", environment)
            superlink = SuperLink(home, psutil.Process(process.pid), environment)
            watcher = watch(process.pid)
        _wait_until_healthy(superlink, port)
        yield superlink
    finally:
        if superlink is not None:
            superlink.end()
            process.wait()
        if watcher is not None:
            watcher.communicate()


def _start(
    port: int, control_port: int, log: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 # nosec B603 # our own words to Flower's own command
            [
                script_of("flower-superlink"), "--insecure", "--simulation",
                "--isolation", "subprocess", "--disable-runtime-dependency-installation",
                "--control-api-address", f"127.0.0.1:{control_port}",
                "--host", "127.0.0.1", "--port", str(port),
            ],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip


def _wait_until_healthy(superlink: SuperLink, port: int) -> None:
    health = f"http://127.0.0.1:{port}/health"
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and superlink.alive():
        try:
            # The address is our own.
            with urllib.request.urlopen(health, timeout=1.0):  # nosec B310
                return
        except (urllib.error.URLError, OSError):
            time.sleep(POLL_S)
    log = superlink.log.read_text(encoding="utf-8", errors="replace")
    raise FederationError(f"the SuperLink didn't come up; its log ends:\n{log[-2000:]}")


def _environment(home: Path) -> dict[str, str]:
    """Environment of the SuperLink: its own home, no installs at run time, one thread a learner."""
    own = {
        "FLWR_HOME": str(home),
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.5",
        "OMP_NUM_THREADS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        # Flower's bakeries come with an environment of their own: none plays in such a worker.
        "RAY_prestart_worker_first_driver": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    if "RAY_ADDRESS" not in os.environ:
        # A Ray of one's own: nothing stays in /tmp/ray, and no stranger's cluster is named there.
        own["RAY_TMPDIR"] = str(home)
    return os.environ | own


def script_of(name: str) -> str:
    """Give the path of one of Flower's commands, as installed beside this Python."""
    return str(Path(sys.executable).with_name(name))


def free_ports(count: int) -> list[int]:
    """Find ports of loopback that nobody listens at."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return [int(item.getsockname()[1]) for item in sockets]
    finally:
        for item in sockets:
            item.close()
