"""What a round takes between machines with Flower's SuperNodes and with lasting nodes.

Five synthetic bakeries with a table each, a SuperLink with TLS and node authentication on this
machine; refitted bagging under masks (privacy=sums), the default rounds of it. SuperNodes start a
process for each message and so get few rounds. Run `python -m benchmarks.node_rounds` (options:
--rounds 20 --supernode-rounds 2). Times are those of the machine with all on it, the server too;
`whole` is from `glean run` to its end. The models of both kinds of lasting nodes are compared.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from glean.sales.synthetic.bakeries import synthetic_bakery
from tests import deployment as deployments
from tests.deployment import Deployment, deployment

BAKERIES = 5
ROUNDS, SUPERNODE_ROUNDS = 20, 2


@dataclass(frozen=True)
class Took:
    """What one run took.

    Parameters
    ----------
    whole, first, others : float
        Seconds: of all, of the first round, of each other one.
    cpu : float
        Seconds of CPU of a bakery's node and what it started, a round; start and end included.
    model : bytes
        What came of it.
    """

    whole: float
    first: float
    others: float
    cpu: float
    model: bytes


def tables(folder: Path) -> dict[str, Path]:
    """Write each bakery's table."""
    found = {}
    for index in range(BAKERIES):
        bakery = synthetic_bakery(index)
        found[bakery.name] = folder / f"{index}.csv"
        bakery.table.rows.drop(columns="bakery").to_csv(found[bakery.name], index=False)
    return found


def cpu_seconds(deployed: Deployment) -> float:
    """CPU of all nodes so far, with that of processes of theirs that have ended."""
    total = 0.0
    for name in deployed.bakeries:
        leader = psutil.Process(deployed.running[name].pid)
        for process in (leader, *leader.children(recursive=True)):
            total += sum(process.cpu_times()[:4])
    return total


def run(deployed: Deployment, out: Path, rounds: int) -> Took:
    """Make one run."""
    settings = {
        "privacy": "sums",
        "num-server-rounds": rounds,
        "min-available-bakeries": BAKERIES,
        "baselines": "false",
        "output-dir": out,
    }
    command = [sys.executable, "-m", "glean", "run", deployed.connection]
    before, start = cpu_seconds(deployed), time.monotonic()
    subprocess.run(
        [*command, *(f"--set={key}={value}" for key, value in settings.items())],
        check=True,
        capture_output=True,
        cwd=deployed.folder,
        env=deployed.environment,
    )
    whole = time.monotonic() - start
    folder = out / "latest"
    lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    begin, *ends = (
        datetime.fromisoformat(event["time"])
        for event in events
        if event["event"] in ("run_started", "round_finished")
    )
    return Took(
        whole,
        (ends[0] - begin).total_seconds(),
        (ends[-1] - ends[0]).total_seconds() / (len(ends) - 1),
        (cpu_seconds(deployed) - before) / BAKERIES / rounds,
        (folder / "model.ubj").read_bytes(),
    )


def compare(folder: Path, rounds: int, supernode_rounds: int) -> None:
    """Print a row a kind of node and of database."""
    found = tables(folder)
    ways = {
        "SuperNodes, database file": ((), True, supernode_rounds),
        "lasting nodes, database file": (tuple(found), True, rounds),
        "lasting nodes, in memory": (tuple(found), False, rounds),
    }
    models = {}
    for number, (words, (lasting, remembers, count)) in enumerate(ways.items()):
        own = folder / str(number)
        if not count:
            continue
        # As docs/deployment.md has it: SuperNodes look for each message's process so often.
        deployments.QUICK["FLWR_SUPEREXEC_TASK_POLL_INTERVAL"] = "0.5" if lasting else "0.1"
        with deployment(own / "d", found, lasting=lasting, remembers=remembers) as deployed:
            took = run(deployed, own / "results", count)
        print(
            f"{words:30} {count:6} {took.whole:8.1f} {took.first:8.1f} {took.others:8.2f} "
            f"{took.cpu:9.2f}",
            flush=True,
        )
        if lasting:
            models[words] = took.model
    print(f"models of lasting nodes that differ: {len(set(models.values())) - 1}")


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--supernode-rounds", type=int, default=SUPERNODE_ROUNDS)
    args = parser.parse_args()
    print(f"{BAKERIES} bakeries, refitted bagging under masks; seconds")
    print(
        f"{'':30} {'rounds':>6} {'whole':>8} {'first':>8} {'a round':>8} {'CPU':>9} "
        "(of a bakery and round)"
    )
    with tempfile.TemporaryDirectory(prefix="node-rounds-") as scratch:
        compare(Path(scratch), args.rounds, args.supernode_rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
