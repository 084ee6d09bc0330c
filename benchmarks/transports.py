"""What a round of each aggregation takes in process, on Ray, at a SuperLink and over Kafka.

The same three synthetic bakeries and the same messages each time; the SuperLink has three lasting
nodes on this machine, with TLS, authentication and a table a bakery, Kafka the broker that the
tests use and three nodes, with signed envelopes. Run `python -m benchmarks.transports` (options:
--rounds 3 --only masked). A round's seconds are the mean of those after the first, in which
bakeries make their features. The last column says in how many of the ways the model has the bytes
of the first.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pandas as pd

from benchmarks.rounds_run import ROOT, cost_of
from benchmarks.variants import OTHERS, VARIANTS, Config, shortened
from glean.runs.model_card import MODEL_NAMES
from glean.sales.synthetic.bakeries import synthetic_bakery
from tests import deployment as deployments
from tests.deployment import Deployment, deployment
from tests.kafka_broker import kafka_broker, why_no_broker
from tests.kafka_federation import KafkaFederation, kafka_federation

BAKERIES = 3
ROUNDS = 3
OF = 20
"""Rounds that the learning rate is for."""

LIMIT_S = 1800.0
ALL = "all.csv"

QUIET: Config = {"baselines": False, "min-contributors": BAKERIES, "privacy": "sums"}
Run = Callable[[Config, Path], Path]


def simulated(engine: str, sales: Path) -> Run:
    """Give what runs a config by `glean simulate` on a table and returns the run's folder."""

    def run(config: Config, out: Path) -> Path:
        command = [_glean(), "simulate", f"--engine={engine}", f"--set=sales={sales}"]
        subprocess.run(
            [*command, f"--out={out}", *_set_options(config)], check=True, capture_output=True
        )
        return out / "latest"

    return run


def between_machines(deployed: Deployment) -> Run:
    """Give what runs a config by `glean run`."""

    def run(config: Config, out: Path) -> Path:
        command = [
            _glean(),
            "run",
            deployed.connection,
            *_set_options(config | {"output-dir": str(out)}),
        ]
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            cwd=deployed.folder,
            env=dict(deployed.environment),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return out / "latest"

    return run


def over_kafka(road: KafkaFederation) -> Run:
    """Give what runs a config by `glean run kafka://...`."""

    def run(config: Config, out: Path) -> Path:
        done = road.run(*_set_options(config | {"output-dir": str(out)}), limit_s=LIMIT_S)
        assert done.returncode == 0, done.stdout + done.stderr
        return out / "latest"

    return run


def _glean() -> str:
    return str(Path(sys.executable).with_name("glean"))


def _set_options(config: Config) -> list[str]:
    return [f"--set={key}={json.dumps(value).strip(chr(34))}" for key, value in config.items()]


def seconds_a_round(run: Path) -> float:
    """Read when each round ended."""
    lines = (run / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    ends = [datetime.fromisoformat(e["time"]) for e in events if e["event"] == "round_finished"]
    return (ends[-1] - ends[0]).total_seconds() / (len(ends) - 1)


def travelling(config: Config, rounds: int) -> tuple[float, float]:
    """Give exchanges, and payload of a bakery in kB, of a round after the first."""
    one, all_ = (
        cost_of(BAKERIES, config | {"num-server-rounds": number}).spent for number in (1, rounds)
    )
    exchanges = (all_.exchanges - one.exchanges) / (rounds - 1)
    return exchanges, (all_.payload - one.payload) / (rounds - 1) / BAKERIES / 1e3


def tables(folder: Path) -> dict[str, Path]:
    """Write each bakery's table, and one of them all."""
    found, rows = {}, []
    for index in range(BAKERIES):
        bakery = synthetic_bakery(index)
        found[bakery.name] = folder / f"{index}.csv"
        rows.append(bakery.table.rows)
        rows[-1].drop(columns="bakery").to_csv(found[bakery.name], index=False)
    pd.concat(rows).to_csv(folder / ALL, index=False)
    return found


def model_of(run: Path) -> bytes:
    """Give the bytes of a run's model."""
    return next(run / name for name in MODEL_NAMES if (run / name).exists()).read_bytes()


def compare(rounds: int, ways: Mapping[str, Run], folder: Path, only: str) -> None:
    """Run and print each aggregation in all ways, or those whose name has a text in it."""
    print(f"{BAKERIES} bakeries; seconds a round, mean of {rounds - 1}")
    named = "".join(f" {name:>10}" for name in ways)
    print(f"{'':24} {'exchanges':>9} {'kB a bakery':>11}{named} equal")
    chosen = {name: config for name, config in (VARIANTS | OTHERS).items() if only in name}
    for name, config in chosen.items():
        cut = shortened(config | QUIET, rounds=rounds, of=OF)
        exchanges, kilobytes = travelling(cut, rounds)
        runs = [run(cut, folder / f"{name}-{number}") for number, run in enumerate(ways.values())]
        models = [model_of(run) for run in runs]
        seconds = "".join(f" {seconds_a_round(run):10.2f}" for run in runs)
        print(
            f"{name:24} {exchanges:9.0f} {kilobytes:11.1f}{seconds} "
            f"{models.count(models[0])} of {len(models)}",
            flush=True,
        )


def main() -> int:
    """Print a row an aggregation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default="", help="a text that names of aggregations have in them")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="transports-") as scratch:
        folder = Path(scratch)
        found = tables(folder)
        deployments.QUICK["PYTHONPATH"] = str(ROOT)  # all run this checkout's code
        with ExitStack() as stack:
            deployed = stack.enter_context(
                deployment(folder / "deployed", found, lasting=tuple(found))
            )
            ways = {
                "in process": simulated("inprocess", folder / ALL),
                "Ray": simulated("ray", folder / ALL),
                "SuperLink": between_machines(deployed),
            }
            if (reason := why_no_broker()) is None:
                broker = stack.enter_context(kafka_broker(folder / "broker"))
                road = kafka_federation(folder / "kafka", broker.url, found)
                ways["Kafka"] = over_kafka(stack.enter_context(road))
            else:
                print(f"without Kafka: {reason}")
            compare(args.rounds, ways, folder, args.only)
    return 0


if __name__ == "__main__":
    sys.exit(main())
