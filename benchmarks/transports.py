"""What a round of each aggregation takes in process, on Ray and between machines.

The same three synthetic bakeries and the same messages each time; the machines are a SuperLink and
three SuperNodes on this one, with TLS, authentication and a table a bakery. Run `python -m
benchmarks.transports` (option: --rounds 3). A round's seconds are the mean of those after the
first, in which bakeries make their features.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from benchmarks.rounds_run import cost_of
from benchmarks.variants import OTHERS, VARIANTS, Config, shortened
from glean.sales.synthetic.bakeries import synthetic_bakery
from tests.deployment import Deployment, deployment

BAKERIES = 3
ROUNDS = 3
OF = 20
"""Rounds that the learning rate is for."""

QUIET: Config = {"baselines": False, "min-contributors": BAKERIES, "privacy": "sums"}
Run = Callable[[Config, Path], Path]


def simulated(engine: str) -> Run:
    """Give what runs a config by `glean simulate` and returns the run's folder."""

    def run(config: Config, out: Path) -> Path:
        command = [_glean(), "simulate", f"--engine={engine}", f"--bakeries={BAKERIES}"]
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
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            cwd=deployed.folder,
            env=dict(deployed.environment),
        )
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
    """Write each bakery's table."""
    found = {}
    for index in range(BAKERIES):
        bakery = synthetic_bakery(index)
        found[bakery.name] = folder / f"{index}.csv"
        bakery.table.rows.drop(columns="bakery").to_csv(found[bakery.name], index=False)
    return found


def compare(rounds: int, deployed: Run, folder: Path) -> None:
    """Run and print each aggregation in all three ways."""
    ways = (simulated("inprocess"), simulated("ray"), deployed)
    for name, config in (VARIANTS | OTHERS).items():
        cut = shortened(config | QUIET, rounds=rounds, of=OF)
        exchanges, kilobytes = travelling(cut, rounds)
        runs = [run(cut, folder / f"{name}-{number}") for number, run in enumerate(ways)]
        local, ray, machines = (seconds_a_round(run) for run in runs)
        print(
            f"{name:24} {exchanges:9.0f} {kilobytes:11.1f} {local:10.2f} "
            f"{ray:7.2f} {machines:9.1f}",
            flush=True,
        )


def main() -> int:
    """Print a row an aggregation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    args = parser.parse_args()
    print(f"{BAKERIES} bakeries; seconds a round, mean of {args.rounds - 1}")
    print(
        f"{'':24} {'exchanges':>9} {'kB a bakery':>11} {'in process':>10} {'Ray':>7} "
        f"{'machines':>9}"
    )
    with tempfile.TemporaryDirectory(prefix="transports-") as scratch:
        folder = Path(scratch)
        with deployment(folder / "deployed", tables(folder)) as deployed:
            compare(args.rounds, between_machines(deployed), folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
