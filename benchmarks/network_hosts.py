"""Hosts of a benchmark: network namespaces of this machine on one bridge, each with a home."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from glean.runs.process_tree import end_tree

BRIDGE, NETWORK = "glean-br", "10.77.0"
IP = shutil.which("ip") or ""
"""iproute2's command; "" where it isn't there."""


@dataclass
class Host:
    """A network namespace with a home.

    Parameters
    ----------
    name : str
        Its own.
    address : str
        On the bridge.
    home : Path
        HOME of its user.
    environment : Path
        Where Glean is installed.
    """

    name: str
    address: str
    home: Path
    environment: Path
    commands: list[str] = field(default_factory=list)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def command(self, *typed: str | Path) -> list[str]:
        """Give what runs a command there."""
        return [
            IP,
            "netns",
            "exec",
            self.name,
            str(self.environment / "bin" / "glean"),
            *map(str, typed),
        ]

    @property
    def variables(self) -> dict[str, str]:
        """Its environment: nothing of this session's."""
        kept = {
            k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "GLEAN", "FLWR"))
        }
        return {**kept, "HOME": str(self.home), "COLUMNS": "200"}

    def type(self, *typed: str | Path, counts: bool = True) -> subprocess.CompletedProcess[str]:
        """Type a command, and wait for its end."""
        if counts:
            self.commands.append(typed[0] if isinstance(typed[0], str) else typed[0].name)
        return subprocess.run(
            self.command(*typed), cwd=self.home, env=self.variables, capture_output=True, text=True,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def leave_running(self, *typed: str | Path) -> Path:
        """Type a command that stays; where its words go."""
        self.commands.append(str(typed[0]))
        log = self.home / f"{typed[0]}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command(*typed), cwd=self.home, env=self.variables, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self.running.append(process)
        return log


def ip(*words: str) -> None:
    """Type a command of iproute2."""
    subprocess.run([IP, *words], check=True)


@contextmanager
def hosts(names: Sequence[str], folder: Path, environments: Sequence[Path]) -> Iterator[list[Host]]:
    """Hosts on one bridge; their processes and namespaces are gone afterwards."""
    with ExitStack() as stack:
        ip("link", "add", BRIDGE, "type", "bridge")
        stack.callback(ip, "link", "del", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        found = []
        for number, (name, environment) in enumerate(zip(names, environments, strict=True), 1):
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name)
            ip("link", "add", f"gl{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", f"gl{number}", "master", BRIDGE, "up")
            ip("-n", name, "addr", "add", f"{NETWORK}.{number}/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                ip("-n", name, "link", "set", link, "up")
            home = folder / name
            home.mkdir()
            found.append(Host(name, f"{NETWORK}.{number}", home, environment))
            stack.callback(end, found[-1])
        yield found


def end(host: Host) -> None:
    """End what a host runs."""
    for process in host.running:
        if process.poll() is None:
            end_tree(psutil.Process(process.pid))
        process.wait()
