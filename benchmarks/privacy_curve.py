"""What noise costs: WAPE of the shared model by epsilon, beside sums without noise and the habit.

The arithmetic of a run with `privacy=noise`, bakery by bakery and with the noise that each would
draw, but without messages and masks, which change no number. Run `python -m
benchmarks.privacy_curve [JOB...]` (options: --seeds 3, --rounds 20, --bakeries 5,10 for the first
bakeries of a job, --window validation). The default of `epsilon` and all constants were chosen on
validation windows of synthetic-40.

On synthetic-40 two things are wanted at the default epsilon, as means over seeds: at most 3% above
the default aggregation without noise, and at least 8% below the weekday-mean.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np

from benchmarks.federations import feature_definition, federation_of, open_bakeries
from benchmarks.jobs import JOBS
from glean.aggregation.oblivious import decoded, leaf_values
from glean.features.bakery_rows import BakeryRows
from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix
from glean.federation.client.noised_vector import noise_on
from glean.federation.wire.noised_parts import part_deviation
from glean.federation.wire.sum_request import DAY_GRADIENTS, DAY_HESSIANS
from glean.forecasting.baselines import baselines
from glean.forecasting.forecasters import TreeForecaster, read_model
from glean.learning.bin_layout import BinLayout
from glean.learning.day_sums import UNIT, DaySums
from glean.learning.forest import Forest
from glean.learning.gradient_histograms import GradientHistograms
from glean.learning.learning_rates import learning_rate_of
from glean.learning.oblivious_trees import (
    LEAVES_PER_ROUND,
    random_trees,
    with_base,
    with_leaves,
)
from glean.metrics import ErrorSums, Floats
from glean.settings import RunSettings

EPSILONS = (0.5, 1.0, 2.0, 4.0, 8.0, math.inf)
ABOVE_SUMS = 0.03
BELOW_HABIT = 0.08
JUDGED = "synthetic-40"


@dataclass(frozen=True)
class OpenJob:
    """Bakeries with their rows."""

    rows: list[BakeryRows]
    definition: FeatureDefinition
    window: str

    def judged(self, bakery: BakeryRows) -> FeatureMatrix:
        """Rows of the window that models are judged on."""
        return (bakery.test if self.window == "test" else bakery.validation)(self.definition)

    def wape(self, model: TreeForecaster) -> float:
        """WAPE over all bakeries."""
        return self._wape([(m := self.judged(each), model.predict(m)) for each in self.rows])

    def habit_wape(self) -> float:
        """WAPE of the weekday-mean."""
        matrices = [self.judged(each) for each in self.rows]
        return self._wape([(each, baselines(each)["weekday-mean"]) for each in matrices])

    @staticmethod
    def _wape(pairs: Sequence[tuple[FeatureMatrix, Floats]]) -> float:
        return reduce(add, [ErrorSums.of(m.units, found) for m, found in pairs], ErrorSums()).wape


def train(job: OpenJob, settings: RunSettings) -> Forest:
    """Train as a run with these settings does, all bakeries there all the time."""
    rounds, layout = settings.rounds, BinLayout(job.definition, settings.boosting.bins)
    empty = Forest.empty(job.definition, objective=settings.boosting.objective)
    forest = with_base(empty, layout)
    matrices = [each.training(job.definition) for each in job.rows if each.trains]
    parties = len(matrices)
    sums = [DaySums(matrix, layout) for matrix in matrices]
    followed = [GradientHistograms(matrix, layout, settings.boosting) for matrix in matrices]
    margins = [each.add(each.start(), forest.trees) for each in followed]
    drawn = [
        random_trees(layout, seed=settings.seed, number=number)
        for number in range(1, rounds.num_server_rounds + 1)
    ]
    length = LEAVES_PER_ROUND * len(drawn)
    hessians = sum(
        np.concatenate([each.hessians(trees) for trees in drawn])
        + noise_on(DAY_HESSIANS, length, settings, parties=parties)
        for each in sums
    )
    noise = part_deviation(DAY_GRADIENTS, settings, parties=parties) * math.sqrt(parties) / UNIT
    for trees, weight in zip(
        drawn, decoded(np.asarray(hessians)).reshape(len(drawn), -1), strict=True
    ):
        gradients = sum(
            each.gradients(margin, trees)
            + noise_on(DAY_GRADIENTS, LEAVES_PER_ROUND, settings, parties=parties)
            for each, margin in zip(sums, margins, strict=True)
        )
        values = leaf_values(
            decoded(np.asarray(gradients)),
            weight,
            noise=noise,
            learning_rate=learning_rate_of(rounds),
        )
        grown = with_leaves(trees, values)
        forest = forest.plus(grown)
        margins = [each.add(margin, grown) for each, margin in zip(followed, margins, strict=True)]
    return forest


def at_epsilon(settings: RunSettings, epsilon: float, seed: int) -> RunSettings:
    """Change settings to noise of an epsilon; infinite: random trees without any."""
    wanted = math.isfinite(epsilon)
    noise = replace(settings.noise, privacy="noise" if wanted else "sums")
    return replace(
        settings,
        noise=replace(noise, epsilon=epsilon) if wanted else noise,
        rounds=replace(settings.rounds, aggregation="oblivious"),
        seed=seed,
    )


def sums_wape(job: OpenJob, settings: RunSettings, scratch: Path) -> float:
    """WAPE of the last model of the default aggregation, whose sums are open."""
    federation = federation_of(replace(settings, secure_sums=False), len(job.rows), scratch)
    federation.run()
    model = read_model(federation.checkpoints()[-1])
    assert isinstance(model, TreeForecaster), "the default aggregation makes trees"
    return job.wape(model)


def noised_wapes(job: OpenJob, settings: RunSettings, epsilon: float, seeds: range) -> list[float]:
    """WAPE of the last model at an epsilon, one for each seed."""
    chosen = [at_epsilon(settings, epsilon, seed) for seed in seeds]
    return [job.wape(TreeForecaster(train(job, each))) for each in chosen]


def measure(name: str, bakeries: int, args: argparse.Namespace, scratch: Path) -> list[str]:
    """Print the curve of a job; what isn't as it is wanted."""
    texts = {"num-server-rounds": str(args.rounds)}
    settings = JOBS[name].settings(scratch, **texts)
    rows = open_bakeries(settings, bakeries)
    job = OpenJob(rows, feature_definition(rows, settings), args.window)
    seeds = range(settings.seed, settings.seed + args.seeds)
    print(f"\n{name}, {bakeries} bakeries, {args.window} windows; mean and worst of the seeds")
    habit = job.habit_wape()
    sums = [sums_wape(job, replace(settings, seed=s), scratch / "runs") for s in seeds]
    print(f"{'weekday-mean':>14} {habit:.4f}")
    print(f"{'sums':>14} {statistics.fmean(sums):.4f} {max(sums):.4f}")
    found = {}
    for epsilon in EPSILONS:
        found[epsilon] = noised_wapes(job, settings, epsilon, seeds)
        mean = statistics.fmean(found[epsilon])
        print(
            f"{f'epsilon {epsilon:g}':>14} {mean:.4f} {max(found[epsilon]):.4f}  "
            f"{mean / statistics.fmean(sums) - 1:+.1%} of sums, {mean / habit - 1:+.1%} of habit",
            flush=True,
        )
    if (name, bakeries) != (JUDGED, JOBS[JUDGED].bakeries):
        return []
    default = statistics.fmean(found[RunSettings().noise.epsilon])
    above, below = default / statistics.fmean(sums) - 1, 1 - default / habit
    return [
        f"{name}: {text} {value:.1%}, wanted {limit:.0%}"
        for text, value, limit, kept in (
            ("above sums", above, ABOVE_SUMS, above <= ABOVE_SUMS),
            ("below the weekday-mean", below, BELOW_HABIT, below >= BELOW_HABIT),
        )
        if not kept
    ]


def main() -> int:
    """Print a curve a job; 1 when something isn't as it is wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("jobs", nargs="*", metavar="JOB", default=[JUDGED])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=RunSettings().rounds.num_server_rounds)
    parser.add_argument("--bakeries", default="", help="numbers, separated by commas")
    parser.add_argument("--window", choices=("test", "validation"), default="test")
    args = parser.parse_args()
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in args.jobs:
            counts = [int(n) for n in args.bakeries.split(",") if n] or [JOBS[name].bakeries]
            for count in counts:
                missed += measure(name, count, args, Path(scratch))
    for line in missed:
        print(line)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
