"""How much CPU the rounds of `histogram` take beside XGBoost on the pooled rows; and a whole job.

Both grow one tree of depth 6 a round on the same training rows. XGBoost's side is its DMatrix and
`xgboost.train` on one thread, the floor; Glean's is all that the rounds do (messages, histograms,
aggregation, masks, scoring, checkpoints), without imports, features and baselines. The whole job is
`glean simulate` in process with masks and baselines. Run `python -m benchmarks.pooled` (options:
--bakeries 40, --rounds 100, --repeats 5, --no-job).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import xgboost

from benchmarks.federations import clear_caches, federation_of, open_bakeries
from benchmarks.rounds_run import as_glean_commands_do
from benchmarks.variants import HISTOGRAM, MASKED, VARIANTS, Config
from glean.features.bakery_rows import BakeryRows
from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix, stack
from glean.learning.learning_rates import learning_rate_of
from glean.learning.xgboost_input import parameters
from glean.settings import RunSettings

BAKERIES = 40
ROUNDS = 100
REPEATS = 5
WARM_BAKERIES, WARM_ROUNDS = 3, 2
MOST_TIMES = {HISTOGRAM: 3.0, HISTOGRAM + MASKED: 6.0}
JOB_LIMIT_S = 600.0

DEFINITION = FeatureDefinition(horizon_days=1, season=True)


@dataclass(frozen=True)
class Timings:
    """CPU seconds of each repeat, by what was done."""

    pooled: Sequence[float]
    rounds: Mapping[str, Sequence[float]]

    def times(self) -> dict[str, float]:
        """Median of each variant's rounds as a multiple of the median of pooled training."""
        floor = statistics.median(self.pooled)
        return {name: statistics.median(taken) / floor for name, taken in self.rounds.items()}

    def misses(self) -> list[str]:
        """Say which limits aren't kept."""
        return [
            f"{name}: the rounds take {times:.1f} times the CPU of pooled XGBoost, "
            f"wanted {MOST_TIMES[name]:g} or less"
            for name, times in self.times().items()
            if times > MOST_TIMES[name]
        ]


def prepared_bakeries(settings: RunSettings, bakeries: int) -> list[BakeryRows]:
    """Open bakeries where their apps will find them, with their rows made and nothing learned."""
    clear_caches()
    found = open_bakeries(settings, bakeries)
    for bakery in found:
        bakery.training(DEFINITION)
        bakery.validation(DEFINITION)
    return found


def rounds_cpu_s(config: Config, bakeries: int, scratch: Path) -> float:
    """CPU time of the rounds of a federation whose bakeries have made their features."""
    settings = RunSettings.from_config(config)
    prepared_bakeries(settings, bakeries)
    federation = federation_of(settings, bakeries, scratch)
    start = time.process_time()
    federation.run()
    return time.process_time() - start


def pooled_cpu_s(features: FeatureMatrix, settings: RunSettings) -> float:
    """CPU time of XGBoost's DMatrix and training on all rows."""
    words = parameters(
        settings.boosting,
        learning_rate=learning_rate_of(settings.rounds),
        seed=settings.seed,
        device="cpu",
    )
    start = time.process_time()
    rows = xgboost.DMatrix(
        features.x, features.y, weight=features.weight / features.weight.mean(), nthread=1
    )
    own = words | {"max_bin": settings.boosting.bins}
    xgboost.train(own, rows, settings.rounds.num_server_rounds)
    return time.process_time() - start


def timings(bakeries: int, rounds: int, repeats: int) -> Timings:
    """Measure all in turns, so that a busy moment of the machine meets each of them."""
    configs = {name: VARIANTS[name] | {"num-server-rounds": rounds} for name in MOST_TIMES}
    settings = RunSettings.from_config(configs[HISTOGRAM])
    features = stack(
        [bakery.training(DEFINITION) for bakery in prepared_bakeries(settings, bakeries)]
    )
    pooled: list[float] = []
    taken: dict[str, list[float]] = {name: [] for name in configs}
    with tempfile.TemporaryDirectory() as scratch:
        for config in configs.values():
            warm = config | {"num-server-rounds": WARM_ROUNDS}
            rounds_cpu_s(warm, WARM_BAKERIES, Path(scratch))
        for _ in range(repeats):
            pooled.append(pooled_cpu_s(features, settings))
            for name, config in configs.items():
                taken[name].append(rounds_cpu_s(config, bakeries, Path(scratch)))
    print(f"{len(features):,} pooled rows")
    return Timings(pooled, taken)


def job_s(bakeries: int, rounds: int) -> float:
    """Wall time of the whole job with masks and baselines, from the command to its end."""
    glean = str(Path(sys.executable).with_name("glean"))
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            glean, "simulate", "--engine=inprocess", f"--bakeries={bakeries}", f"--out={scratch}",
            "--set=aggregation=histogram", f"--set=num-server-rounds={rounds}",
        ]  # fmt: skip
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - start


def main() -> int:
    """Print the CPU times, their multiples and the job's time; 1 when a limit isn't kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bakeries", type=int, default=BAKERIES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--no-job", action="store_true")
    args = parser.parse_args()
    as_glean_commands_do()
    print(f"{args.bakeries} bakeries, {args.rounds} rounds, median of {args.repeats}, CPU seconds")
    found = timings(args.bakeries, args.rounds, args.repeats)
    _print_row("XGBoost, pooled", found.pooled, "")
    for name, times in found.times().items():
        limit = f"{times:.2f} times as much, wanted {MOST_TIMES[name]:g} or less"
        _print_row(name, found.rounds[name], limit)
    missed = found.misses()
    if not args.no_job:
        taken = job_s(args.bakeries, args.rounds)
        print(f"the whole job, masks and baselines: {taken:.0f} s, wanted {JOB_LIMIT_S:.0f}")
        if taken > JOB_LIMIT_S:
            missed.append(f"the whole job took {taken:.0f} s, wanted {JOB_LIMIT_S:.0f} or less")
    for line in missed:
        print(line)
    return int(bool(missed))


def _print_row(name: str, taken: Sequence[float], words: str) -> None:
    spread = f"{min(taken):.2f} to {max(taken):.2f}"
    print(f"{name:20} {statistics.median(taken):8.2f}  ({spread})  {words}".rstrip(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
