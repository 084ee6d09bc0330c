"""A Ray of several nodes on this host, as an operator would start it; ended with all it started.

No other Ray is touched: each node is a process of its own, ended by its number, on free ports and
with a folder of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from glean.federation.launch.superlink import free_ports
from glean.runs.process_tree import end_tree

START_LIMIT_S = 120.0
ACTOR = "ray::ClientAppActor"
"""Title of a process in which Flower has bakeries play."""

_RAYLET = "raylet"
_STORE_BYTES = 256 * 2**20
_HOST = "127.0.0.1"


@dataclass(frozen=True)
class RayCluster:
    """Nodes of Ray on this host.

    Parameters
    ----------
    address : str
        What RAY_ADDRESS says.
    nodes : tuple of psutil.Process
        What was started for each, the head first.
    """

    address: str
    nodes: tuple[psutil.Process, ...]

    def actors(self) -> list[dict[int, float]]:
        """By node, the processes that play bakeries: pid -> CPU seconds so far."""
        return [_actors(node) for node in self.nodes]

    def memory(self) -> str:
        """Say what lies in the object stores of all nodes, in Ray's own words."""
        words = [_ray(), "memory", "--stats-only", "--address", self.address]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        lines = done.stdout.splitlines()
        return " ".join(line.strip() for line in lines if "Plasma" in line or "consumed" in line)


@contextmanager
def ray_cluster(cpus: Sequence[int]) -> Iterator[RayCluster]:
    """Start a node for each number of CPUs.

    Raises
    ------
    TimeoutError
        They aren't all there in time; with the end of their logs.
    """
    (port, client_port) = free_ports(2)
    address = f"{_HOST}:{port}"
    with ExitStack() as stack:
        # Below /tmp, since the path of a socket is short.
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gr-", dir="/tmp")))
        head = ("--head", f"--port={port}", f"--ray-client-server-port={client_port}",
                f"--temp-dir={scratch}", "--include-dashboard=false")  # fmt: skip
        nodes: list[psutil.Process] = []
        for place, count in enumerate(cpus):
            words = head if place == 0 else (f"--address={address}",)
            log = scratch / f"node-{place}.log"
            process = _start(count, words, log)
            nodes.append(psutil.Process(process.pid))
            stack.callback(process.wait)
            stack.callback(end_tree, nodes[-1])
            _wait_for_raylet(nodes[-1], log)
        yield RayCluster(address, tuple(nodes))


def _start(cpus: int, words: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    environment |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_prestart_worker_first_driver": "0"}
    with log.open("wb") as output:
        return subprocess.Popen(
            [_ray(), "start", "--block", f"--num-cpus={cpus}", "--num-gpus=0",
             f"--node-ip-address={_HOST}", f"--object-store-memory={_STORE_BYTES}",
             "--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0",
             *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip


def _ray() -> str:
    return str(Path(sys.executable).with_name("ray"))


def _wait_for_raylet(node: psutil.Process, log: Path) -> None:
    """Wait until a node says that it runs."""
    until = time.monotonic() + START_LIMIT_S
    while "Ray runtime started" not in log.read_text("utf-8", errors="replace"):
        if time.monotonic() > until or not node.is_running():
            raise TimeoutError(f"no Ray: {log.read_text('utf-8', errors='replace')[-2000:]}")
        time.sleep(0.2)


def _actors(node: psutil.Process) -> dict[int, float]:
    found = {}
    for process in node.children(recursive=True):
        try:
            if " ".join(process.cmdline()).startswith(ACTOR):
                times = process.cpu_times()
                found[process.pid] = times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return found
