"""The SuperLink of a federation across machines: TLS, registered nodes only, on loopback.

Its port asks nobody for a password, so nothing but this machine may reach it; bakeries come by the
service's gateway. It is ended with all that it started, also when this process is killed.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from glean.federation.launch import superlink_process
from glean.federation.launch.watchdog import watch
from glean.runs.process_tree import end_tree, signals_held_back

CONNECTION = "bakeries"
"""Its name in Flower's configuration."""

HOST = "127.0.0.1"
_CARRIER = "flwr-serverapp"
_HEALTH_S = 2.0
_LARGEST_LOG = 10 * 2**20


@dataclass(frozen=True)
class SuperLinkFiles:
    """What a deployed SuperLink is made of.

    Parameters
    ----------
    home : Path
        Its FLWR_HOME, where `config.toml` names it.
    log : Path
        Where it and its ServerApps write.
    authority, certificate, private_key : Path
        PEM files of its TLS; the certificate is also for 127.0.0.1.
    directory : Path
        Working directory of its ServerApps.
    variables : mapping of str to str
        What the ServerApp is told, like GLEAN_MEMBERS.
    """

    home: Path
    log: Path
    authority: Path
    certificate: Path
    private_key: Path
    directory: Path
    variables: Mapping[str, str]

    def environment(self) -> dict[str, str]:
        """Environment of the SuperLink and of commands to it."""
        beside = Path(sys.executable).parent
        return {
            **os.environ,
            **superlink_variables(self.home),
            **self.variables,
            "PATH": f"{beside}{os.pathsep}{os.environ.get('PATH', '')}",
        }


def superlink_variables(home: Path) -> dict[str, str]:
    """Flower's own variables of a SuperLink and of commands to it; docs/deployment.md says why."""
    return {
        "FLWR_HOME": str(home),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.1",
        "OMP_NUM_THREADS": "1",
    }


class DeployedSuperLink:
    """A SuperLink that was started, until it ends.

    Parameters
    ----------
    files : SuperLinkFiles
        What it is made of.
    port : int
        Where it listens on loopback.

    Raises
    ------
    OSError
        It can't be started.
    """

    def __init__(self, files: SuperLinkFiles, port: int) -> None:
        self.port = port
        self._context = ssl.create_default_context(cafile=files.authority)
        write_connection(files.home, port, files.authority)
        with signals_held_back():
            self._process = _start(files, port)
            self._watcher = watch(self._process.pid)
        self._family: list[psutil.Process] = []

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """Number of its process."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def healthy(self) -> bool:
        """Whether it answers."""
        try:
            # The address is our own.
            with urllib.request.urlopen(  # nosec B310
                f"https://{self.address}/health", timeout=_HEALTH_S, context=self._context
            ):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def carries_a_run(self) -> bool:
        """Whether a ServerApp is at work in it; notes what it has started, for its end."""
        with suppress(psutil.NoSuchProcess):
            self._family = psutil.Process(self.pid).children(recursive=True)
        return any(map(_carries, self._family))

    def end(self) -> None:
        """End it and all that it started; once more does no harm."""
        if self._process.poll() is None:
            end_tree(psutil.Process(self.pid))
        self._process.wait()
        # Of one that was killed: its ServerApps have sessions of their own and would take seconds
        # to see that it has gone.
        for process in self._family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._watcher.communicate()


def write_connection(home: Path, port: int, authority: Path) -> None:
    """Tell Flower's configuration of it; what else stands there is ours too and is written over."""
    home.mkdir(parents=True, exist_ok=True)
    fresh = home / "config.toml.new"
    fresh.write_text(
        f'[superlink]\ndefault = "{CONNECTION}"\n\n[superlink.{CONNECTION}]\n'
        f'address = "{HOST}:{port}"\nroot-certificates = {json.dumps(str(authority))}\n',
        encoding="utf-8",
    )
    fresh.replace(home / "config.toml")


def superlink_words(files: SuperLinkFiles, port: int) -> list[str]:
    """Words that start it. Its database is in memory: a round takes half the time of a file's."""
    return [
        *(sys.executable, "-m", superlink_process.__name__, "--host", HOST, "--port", str(port)),
        *("--ssl-ca-certfile", str(files.authority)),
        *("--ssl-certfile", str(files.certificate)),
        *("--ssl-keyfile", str(files.private_key)),
        *("--enable-supernode-auth", "--disable-runtime-dependency-installation"),
    ]


def _start(files: SuperLinkFiles, port: int) -> subprocess.Popen[bytes]:
    if files.log.exists() and files.log.stat().st_size > _LARGEST_LOG:
        files.log.replace(files.log.with_suffix(".log.1"))
    with files.log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 # nosec B603 # our own words to Flower's own command
            superlink_words(files, port),
            cwd=files.directory,
            env=files.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _carries(process: psutil.Process) -> bool:
    try:
        return any(Path(word).name == _CARRIER for word in process.cmdline()[:2])
    except psutil.Error:
        return False
