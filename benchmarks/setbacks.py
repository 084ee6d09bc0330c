"""By how much do honest rounds make the validation score worse? What a run takes back is beyond it.

For each job and aggregation the largest setback of one round to the next: of the sum over all
bakeries, and the median over bakeries; of `fedavg` also the farthest that a round moves a weight.
Run `python -m benchmarks.setbacks [JOB...]` (minutes a job with 40 bakeries; `--kind oblivious`
measures one). Few bakeries and few days leave more to chance: with `--bakeries 3 --validation-days
7 --seeds 4` it is the largest over so many seeds. It ends with 1 where a setback is above the
aggregation's `chance_setback`, or a move above `LARGEST_MOVE`.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.federations import Federation, federation_of
from benchmarks.jobs import JOBS
from glean.aggregation.sum_bounds import LARGEST_MOVE
from glean.federation.coordination.global_model import WeightModel, read_global_model
from glean.federation.server.first_model import first_weights
from glean.federation.server.setbacks import setback
from glean.runs.folder import known_events
from glean.runs.setback_events import RoundTakenBack
from glean.settings import RunSettings

WANTED = ("synthetic-5", "unrelated-5", "synthetic-40")

Scores = dict[tuple[str, int], float]

KINDS: dict[str, dict[str, str]] = {
    "bagging, refit": {},
    "bagging, scaled": {"leaf_values": "scaled"},
    "cyclic": {"aggregation": "cyclic"},
    "fedavg, neural": {"aggregation": "fedavg"},
    "fedavg, poisson": {"aggregation": "fedavg", "fedavg_model": "poisson"},
    "histogram": {"aggregation": "histogram"},
    "oblivious": {"aggregation": "oblivious"},
}


@dataclass(frozen=True)
class HonestRun:
    """What the rounds of honest bakeries did.

    Parameters
    ----------
    in_sum, median : float
        The largest setback of the sum over all bakeries, and the largest median over bakeries.
    moved : float
        The farthest that a round moved a weight; 0 where trees are learned.
    lost : int
        Rounds that were taken back.
    """

    in_sum: float
    median: float
    moved: float
    lost: int


def measure(settings: RunSettings, bakeries: int, scratch: Path) -> HonestRun:
    """Run the rounds."""
    federation = federation_of(settings, bakeries, scratch)
    federation.run()
    folder = federation.folder.path
    by_round: dict[int, Scores] = defaultdict(dict)
    with (folder / "bakery_rounds.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            by_round[int(row["round"])][row["bakery"], 1] = float(row["wape"])
    curve: list[Scores] = [{("", 1): wape} for wape in federation.validation_curve()]
    single = [scores for _, scores in sorted(by_round.items())]
    taken_back = [e for e in known_events(folder / "events.jsonl") if isinstance(e, RoundTakenBack)]
    return HonestRun(
        max(setback(*pair) for pair in pairwise(curve)),
        max(setback(*pair) for pair in pairwise(single)),
        _largest_move(federation),
        len(taken_back),
    )


def _largest_move(federation: Federation) -> float:
    if federation.settings.rounds.kind.model != "weights":
        return 0.0
    found = [
        read_global_model(content, federation.settings) for content in federation.checkpoints()
    ]
    weights = [model.weights for model in found if isinstance(model, WeightModel)]
    moves = [
        float(np.abs(new.arrays[name] - held).max())
        for old, new in pairwise([first_weights(federation.rounds.manager).weights, *weights])
        for name, held in old.arrays.items()
    ]
    return max(moves)


def worst(runs: Sequence[HonestRun]) -> HonestRun:
    """Take the largest of each; rounds that were taken back are added up."""
    return HonestRun(
        max(run.in_sum for run in runs),
        max(run.median for run in runs),
        max(run.moved for run in runs),
        sum(run.lost for run in runs),
    )


def main() -> int:
    """Print a row for each job and aggregation; 1 when a round would be taken back or refused."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("jobs", nargs="*", default=WANTED, metavar="JOB")
    parser.add_argument("--kind", choices=KINDS, action="append", help="that one, and not all")
    parser.add_argument("--bakeries", type=int, help="the first so many")
    parser.add_argument("--validation-days", default=str(RunSettings().windows.validation_days))
    parser.add_argument("--seeds", type=int, default=1)
    args = parser.parse_args()
    missed = 0
    print(f"{'job':>14} {'aggregation':>16} {'in sum':>8} {'median':>8} {'moved':>8} {'lost':>5}")
    with tempfile.TemporaryDirectory() as scratch:
        for name in args.jobs:
            for kind in args.kind or KINDS:
                changes = KINDS[kind]
                found, chance = _of_seeds(name, changes, args, Path(scratch) / f"{name} {kind}")
                moved = f"{found.moved:.2f}" if found.moved else "-"
                print(
                    f"{name:>14} {kind:>16} {found.in_sum:>+8.1%} {found.median:>+8.1%} "
                    f"{moved:>8} {found.lost:>5}",
                    flush=True,
                )
                missed |= max(found.in_sum, found.median) > chance or found.moved > LARGEST_MOVE
    return int(missed)


def _of_seeds(
    name: str, changes: Mapping[str, str], args: argparse.Namespace, scratch: Path
) -> tuple[HonestRun, float]:
    """Run with each seed: the worst of them, and what is taken for chance."""
    runs = []
    for seed in range(RunSettings().seed, RunSettings().seed + args.seeds):
        settings = JOBS[name].settings(
            scratch, **changes, seed=str(seed), validation_days=args.validation_days
        )
        runs.append(measure(settings, args.bakeries or JOBS[name].bakeries, scratch / str(seed)))
    return worst(runs), settings.chance_setback


if __name__ == "__main__":
    sys.exit(main())
