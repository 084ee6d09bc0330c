"""A simulation of many bakeries on one Ray node and on two of this host, with as many CPUs in all.

Run `python -m benchmarks.ray_nodes` (options: --bakeries 1000, --rounds 2, --nodes 1,2). For each
it tells the whole run's time, each node's actors (processes in which Flower has bakeries play) and
their CPU seconds, and the most that lay in the nodes' object stores, in Ray's own words. It ends
with 1 where a node had no part in the work, or the models differ.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ray_cluster import ray_cluster

CPUS = 2
_LOOK_S = 0.2


@dataclass(frozen=True)
class NodesRun:
    """What a run came to.

    Parameters
    ----------
    seconds : float
        From the command's start to its end.
    actors : list of dict of int to float
        By node, pid -> CPU seconds.
    stored : str
        What lay in the object stores when most did.
    model : bytes
        The final model.
    """

    seconds: float
    actors: list[dict[int, float]]
    stored: str
    model: bytes


def run_on(nodes: int, words: Sequence[str], out: Path) -> NodesRun:
    """Run `glean simulate` with these words on so many nodes."""
    command = [sys.executable, "-m", "glean", "simulate", *words, "--out", str(out)]
    shares = [CPUS // nodes] * nodes
    with ray_cluster(shares) as cluster:
        actors: list[dict[int, float]] = [{} for _ in shares]
        stored: list[str] = []
        start = time.monotonic()
        run = subprocess.Popen(
            command,
            env=os.environ | {"RAY_ADDRESS": cluster.address},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        with ThreadPoolExecutor(1) as beside:
            # Ray takes seconds to say what it stores, in which a short run's actors come and go.
            looking = beside.submit(cluster.memory)
            while run.poll() is None:
                time.sleep(_LOOK_S)
                for place, seen in enumerate(cluster.actors()):
                    actors[place] |= seen
                if looking.done():
                    stored.append(looking.result())
                    looking = beside.submit(cluster.memory)
            seconds = time.monotonic() - start
    if run.returncode:
        raise RuntimeError(f"glean simulate ended with {run.returncode}")
    most = max(stored, key=_mebibytes, default="")
    return NodesRun(seconds, actors, most, (out / "latest" / "model.ubj").read_bytes())


def _mebibytes(said: str) -> float:
    """Read the number out of `Plasma memory usage 3 MiB, ...`."""
    words = said.split()
    return float(words[3]) if len(words) > 3 else 0.0


def main() -> int:
    """Measure and print; 1 where a node did nothing, or the models differ."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--bakeries", type=int, default=1000)
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--nodes", default="1,2")
    given = options.parse_args()
    words = [f"--bakeries={given.bakeries}", f"--set=num-server-rounds={given.rounds}"]
    words.append("--set=baselines=false")
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for nodes in map(int, given.nodes.split(",")):
            found.append(run_on(nodes, words, Path(scratch) / str(nodes)))
            _print_run(nodes, found[-1])
    idle = any(not sum(actors.values()) for each in found for actors in each.actors)
    return int(idle or len({each.model for each in found}) > 1)


def _print_run(nodes: int, run: NodesRun) -> None:
    shares = ", ".join(f"{len(a)} actors {sum(a.values()):.0f} s of CPU" for a in run.actors)
    print(f"{nodes} nodes: {run.seconds:.0f} s; {shares}; at most: {run.stored}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
