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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from glean.operations.joining.node_status import FILE as STATUS
from glean.runs.process_tree import end_tree
from glean.sales.synthetic.bakeries import synthetic_bakery
from tests import deployment as deployments
from tests import processes
from tests.deployment import Deployment, deployment
from tests.processes import wait_until

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
    rounds : int
        How many there were.
    """

    whole: float
    first: float
    others: float
    cpu: float
    model: bytes
    rounds: int


def tables(folder: Path) -> dict[str, Path]:
    """Write each bakery's table."""
    found = {}
    for index in range(BAKERIES):
        bakery = synthetic_bakery(index)
        found[bakery.name] = folder / f"{index}.csv"
        bakery.table.rows.drop(columns="bakery").to_csv(found[bakery.name], index=False)
    return found


def cpu_seconds(nodes: Iterable[int]) -> float:
    """CPU of all nodes so far, by their pids, with that of processes of theirs that have ended."""
    total = 0.0
    for pid in nodes:
        leader = psutil.Process(pid)
        for process in (leader, *leader.children(recursive=True)):
            total += sum(process.cpu_times()[:4])
    return total


def pids(deployed: Deployment) -> list[int]:
    """Give the processes of the nodes."""
    return [deployed.running[name].pid for name in deployed.bakeries]


def run(
    nodes: Sequence[int],
    out: Path,
    rounds: int,
    *,
    connection: str,
    cwd: Path,
    env: Mapping[str, str],
    privacy: str = "sums",
) -> Took:
    """Make one run; without a number of rounds by its own default."""
    settings = {
        "privacy": privacy,
        **({"num-server-rounds": rounds} if rounds else {}),
        "min-available-bakeries": BAKERIES,
        "baselines": "false",
        "output-dir": out,
    }
    command = [sys.executable, "-m", "glean", "run", connection]
    before, start = cpu_seconds(nodes), time.monotonic()
    subprocess.run(
        [*command, *(f"--set={key}={value}" for key, value in settings.items())],
        check=True,
        capture_output=True,
        cwd=cwd,
        env=env,
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
        (cpu_seconds(nodes) - before) / BAKERIES / len(ends),
        (folder / "model.ubj").read_bytes(),
        len(ends),
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
            took = run(
                pids(deployed),
                own / "results",
                count,
                connection=deployed.connection,
                cwd=deployed.folder,
                env=deployed.environment,
            )
        show(words, took)
        if lasting:
            models[words] = took.model
    with served(folder / "served", found) as shops:
        for words, privacy, count in (
            ("joined by invitation", "sums", rounds),
            ("the same, noise and its rounds", "noise", 0),
        ):
            took = shops.run(count, privacy)
            show(words, took)
            if privacy == "sums":
                models[words] = took.model
    print(f"models of lasting nodes that differ: {len(set(models.values())) - 1}")


def show(words: str, took: Took) -> None:
    """Print a row."""
    print(
        f"{words:30} {took.rounds:6} {took.whole:8.1f} {took.first:8.1f} {took.others:8.2f} "
        f"{took.cpu:9.2f}",
        flush=True,
    )


@dataclass(frozen=True)
class Served:
    """Bakeries that joined `glean serve --public` on this machine.

    Parameters
    ----------
    folder : Path
        The operator's.
    env : mapping of str to str
        Environment of the operator's commands.
    nodes : sequence of int
        The bakeries' nodes.
    """

    folder: Path
    env: Mapping[str, str]
    nodes: Sequence[int]

    def run(self, rounds: int, privacy: str) -> Took:
        """Make one run."""
        return run(
            self.nodes,
            self.folder / f"results-{privacy}",
            rounds,
            connection="bakeries",
            cwd=self.folder,
            env=self.env,
            privacy=privacy,
        )


@contextmanager
def served(folder: Path, tables: Mapping[str, Path]) -> Iterator[Served]:
    """Serve a federation, and have bakeries join it; all of it ends afterwards."""
    folder.mkdir()
    # One home for all: what Numba has compiled is kept in it.
    env = {**processes.environment(folder / "flower"), "OMP_NUM_THREADS": "1"}
    del env["FLWR_HOME"]
    glean = [sys.executable, "-m", "glean"]
    with ExitStack() as stack:

        def leave_running(*words: str | Path) -> Path:
            log = folder / f"{len(list(folder.glob('*.log')))}.log"
            with log.open("wb") as output:
                process = subprocess.Popen(
                    [*glean, *words],
                    cwd=folder,
                    env=env,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            stack.callback(end_tree, psutil.Process(process.pid))
            return log

        log = leave_running("serve", "--init", "--public", "localhost", "--port", "0")
        wait_until(lambda: "invite a bakery" in log.read_text("utf-8"), "the service")
        said = subprocess.run(
            [*glean, "invite", *tables],
            cwd=folder,
            env=env,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        links = [line for line in said.splitlines() if line.startswith("https://")]
        homes, logs = [], []
        for link, table in zip(links, tables.values(), strict=True):
            homes.append(folder / table.stem)
            policy = ["--privacy", "sums", "--trust", "operator", "--yes", "--no-page"]
            logs.append(leave_running("join", link, "--sales", table, "--home", homes[-1], *policy))
        wait_until(lambda: all("connected" in log.read_text("utf-8") for log in logs), "all")
        nodes = [json.loads((home / STATUS).read_bytes())["process"]["pid"] for home in homes]
        yield Served(folder, env, nodes)


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
