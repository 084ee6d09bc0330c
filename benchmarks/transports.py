"""What a round of each aggregation takes in process, on Ray, at a SuperLink, over Kafka, on a mesh.

The same three synthetic bakeries and the same messages each time; the SuperLink has three lasting
nodes on this machine, with TLS, authentication and a table a bakery, Kafka the broker that the
tests use and three nodes, with signed envelopes, the mesh three peers, of which one is the run's
coordinator and the two others keep what it commits. Run `python -m benchmarks.transports` (options:
--rounds 4 --only masked --ways mesh).

A round's seconds are the mean of those between the first, in which bakeries make their features,
and the last, whose scores come by a sum of their own. The kB are what passed the loopback device
meanwhile, of all programs of this network namespace: `unshare -rn sh -c 'ip link set lo up; exec
python -m benchmarks.transports'` has one without others. Each way is up by itself. The last column
says whether the model has the bytes of the first way's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import pandas as pd

from benchmarks.loopback import LoopbackBytes
from benchmarks.rounds_run import ROOT, cost_of
from benchmarks.variants import OTHERS, VARIANTS, Config, shortened
from glean.runs.model_card import MODEL_NAMES
from glean.sales.synthetic.bakeries import synthetic_bakery
from tests import deployment as deployments
from tests.deployment import deployment
from tests.kafka_broker import kafka_broker, why_no_broker
from tests.kafka_federation import kafka_federation
from tests.mesh_federation import mesh_federation

BAKERIES = 3
ROUNDS, FEWEST_ROUNDS = 4, 3
OF = 20
"""Rounds that the learning rate is for."""

LIMIT_S = 1800.0
ALL = "all.csv"

QUIET: Config = {"baselines": False, "min-contributors": BAKERIES, "privacy": "sums"}
Run = Callable[[Config, Path], Path]
Way = Callable[[Path], AbstractContextManager[Run]]
"""Brings up, in a folder, what a run needs."""


def simulated(engine: str, sales: Path) -> Run:
    """Give what runs a config by `glean simulate` on a table and returns the run's folder."""

    def run(config: Config, out: Path) -> Path:
        command = [_glean(), "simulate", f"--engine={engine}", f"--set=sales={sales}"]
        subprocess.run(
            [*command, f"--out={out}", *_set_options(config)], check=True, capture_output=True
        )
        return out / "latest"

    return run


@contextmanager
def at_superlink(found: Mapping[str, Path], folder: Path) -> Iterator[Run]:
    """Have a SuperLink with lasting nodes; gives what runs a config by `glean run`."""
    with deployment(folder, found, lasting=tuple(found)) as deployed:

        def run(config: Config, out: Path) -> Path:
            words = _set_options(config | {"output-dir": str(out)})
            done = subprocess.run(
                [_glean(), "run", deployed.connection, *words],
                check=False,
                capture_output=True,
                text=True,
                cwd=deployed.folder,
                env=dict(deployed.environment),
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return out / "latest"

        yield run


@contextmanager
def over_kafka(found: Mapping[str, Path], folder: Path) -> Iterator[Run]:
    """Have a broker and nodes; gives what runs a config by `glean run kafka://...`."""
    with (
        kafka_broker(folder / "broker") as broker,
        kafka_federation(folder, broker.url, found) as road,
    ):

        def run(config: Config, out: Path) -> Path:
            done = road.run(*_set_options(config | {"output-dir": str(out)}), limit_s=LIMIT_S)
            assert done.returncode == 0, done.stdout + done.stderr
            return out / "latest"

        yield run


@contextmanager
def on_mesh(found: Mapping[str, Path], folder: Path) -> Iterator[Run]:
    """Have peers that take part in runs; gives what proposes a config by `glean mesh train`."""
    with mesh_federation(folder, found) as mesh:
        first = next(iter(found))

        def run(config: Config, _out: Path) -> Path:
            ended = mesh.ended(first, mesh.train(first, *_set_options(config)), limit_s=LIMIT_S)
            assert ended.state == "completed", ended
            return Path(ended.folder)

        yield run


def _glean() -> str:
    return str(Path(sys.executable).with_name("glean"))


def _set_options(config: Config) -> list[str]:
    return [f"--set={key}={json.dumps(value).strip(chr(34))}" for key, value in config.items()]


@dataclass(frozen=True)
class Measured:
    """What came of a run.

    Parameters
    ----------
    seconds : float
        Of a round between the first and the last.
    loopback : float
        Bytes that all processes here sent each other meanwhile, a round.
    model : bytes
        The final model.
    """

    seconds: float
    loopback: float
    model: bytes


def measured(run: Run, config: Config, out: Path) -> Measured:
    """Run, and read when each round ended and what had passed the loopback device by then."""
    with LoopbackBytes() as passed:
        folder = run(config, out)
    lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    found = [datetime.fromisoformat(e["time"]) for e in events if e["event"] == "round_finished"]
    first, last = (moment.timestamp() for moment in (found[0], found[-2]))
    rounds = len(found) - 2
    bytes_between = passed.until(last) - passed.until(first)
    return Measured((last - first) / rounds, bytes_between / rounds, model_of(folder))


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


def compare(rounds: int, ways: Mapping[str, Way], folder: Path, only: str) -> None:
    """Run each aggregation, or those whose name has a text in it, in one way after the other."""
    chosen = {
        name: shortened(config | QUIET, rounds=rounds, of=OF)
        for name, config in (VARIANTS | OTHERS).items()
        if only in name
    }
    print(f"{'':24} {'exchanges':>9} {'kB a bakery':>11}")
    for name, config in chosen.items():
        exchanges, payload = travelling(config, rounds)
        print(f"{name:24} {exchanges:9.0f} {payload:11.1f}", flush=True)
    print(f"\n{BAKERIES} bakeries, a round, mean of {rounds - 2}")
    print(f"{'':24} {'':12} {'seconds':>9} {'kB in all':>10}  model")
    first: dict[str, bytes] = {}
    for number, (way, opened) in enumerate(ways.items()):
        with opened(folder / str(number)) as run:
            for name, config in chosen.items():
                one = measured(run, config, folder / f"{number}, {name}")
                same = one.model == first.setdefault(name, one.model)
                print(
                    f"{name:24} {way:12} {one.seconds:9.2f} {one.loopback / 1e3:10.1f}  "
                    f"{'the same' if same else 'another'}",
                    flush=True,
                )


def ways_to(found: Mapping[str, Path], table: Path) -> dict[str, Way]:
    """Give all ways that this machine has, by name."""
    ways: dict[str, Way] = {
        "in process": lambda _: nullcontext(simulated("inprocess", table)),
        "Ray": lambda _: nullcontext(simulated("ray", table)),
        "SuperLink": partial(at_superlink, found),
        "Kafka": partial(over_kafka, found),
        "mesh": partial(on_mesh, found),
    }
    if (reason := why_no_broker()) is not None:
        print(f"without Kafka: {reason}")
        del ways["Kafka"]
    return ways


def main() -> int:
    """Print a row an aggregation and way."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default="", help="a text that names of aggregations have in them")
    parser.add_argument("--ways", default="", help="a text that names of ways have in them")
    args = parser.parse_args()
    if args.rounds < FEWEST_ROUNDS:
        parser.error(f"found {args.rounds} rounds; wanted {FEWEST_ROUNDS} at least")
    with tempfile.TemporaryDirectory(prefix="transports-") as scratch:
        folder = Path(scratch)
        found = tables(folder)
        deployments.QUICK["PYTHONPATH"] = str(ROOT)  # all run this checkout's code
        ways = ways_to(found, folder / ALL)
        wanted = {name: way for name, way in ways.items() if args.ways in name}
        compare(args.rounds, wanted, folder, args.only)
    return 0


if __name__ == "__main__":
    sys.exit(main())
