"""Accuracy against exchanges, bytes and seconds: each aggregation after 20 rounds, on three jobs.

WAPE on the test windows of the last round's model, mean over seeds, beside XGBoost on the pooled
rows with the same depth, rate and number of trees, and each bakery alone. Run `python -m
benchmarks.accuracy [JOB...]` (options: --rounds 20, --seeds 3, --bakeries N to cut the jobs short,
--picture FILE.png). The real tables come from the folder that GLEAN_TABLES names. In process; the
same messages travel on Ray and in a deployment.

Three things are wanted on every job, without masks: `histogram` within half a per cent of pooled
XGBoost, with all rows and columns (one seed, nothing is drawn) and with the sampling of the
defaults (mean over seeds); `histogram` lower than scaled bagging; refitted bagging lower than
scaled bagging, at no more exchanges.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accuracy_picture import JobCurves, draw
from benchmarks.evaluated_run import EvaluatedRun, evaluated_run, local_wape, pooled_wape
from benchmarks.jobs import JOBS, Job
from benchmarks.variants import HISTOGRAM, OTHERS, REFIT, SCALED, VARIANTS, Config
from glean.settings import RunSettings

JOB_NAMES = ("synthetic-40", "restaurants-100", "chain")
ROUNDS = 20
SEEDS = 3
WITHIN = 0.005
"""How far `histogram` may be from pooled XGBoost, as a share of the latter's WAPE."""

NO_SAMPLING: Config = {"subsample": 1.0, "colsample": 1.0}

EVERY_SEED = (SCALED, REFIT, HISTOGRAM)
"""Run with every seed; the others with the first one only."""


@dataclass(frozen=True)
class JobAccuracy:
    """What a job came to.

    Parameters
    ----------
    bakeries : int
        How many took part.
    runs : dict of str to sequence of EvaluatedRun
        Variant -> its runs, a seed each.
    pooled : sequence of float
        WAPE of pooled XGBoost with one tree a round at the rate of `histogram`, a seed each.
    local : float
        WAPE of each bakery alone.
    whole, pooled_whole : float
        WAPE of `histogram` and of pooled XGBoost where every tree sees all rows and columns.
    """

    bakeries: int
    runs: dict[str, Sequence[EvaluatedRun]]
    pooled: Sequence[float]
    local: float
    whole: float
    pooled_whole: float

    def wape(self, name: str) -> float:
        """Mean WAPE of a variant's last models."""
        return statistics.fmean(run.last_wape for run in self.runs[name])

    @property
    def pooled_wape(self) -> float:
        """Mean WAPE of pooled XGBoost."""
        return statistics.fmean(self.pooled)

    @property
    def refit_at_equal_exchanges(self) -> float:
        """Mean WAPE of refitted bagging once as many exchanges went as scaled bagging took."""
        pairs = zip(self.runs[SCALED], self.runs[REFIT], strict=True)
        return statistics.fmean(
            refit.wape_by(scaled.spent[-1].exchanges) for scaled, refit in pairs
        )

    def curves(self) -> JobCurves:
        """Give what a picture shows: the first seed."""
        first = {name: runs[0] for name, runs in self.runs.items()}
        levels = {"XGBoost, pooled": self.pooled[0], "local": self.local}
        return JobCurves(self.bakeries, first, levels)

    def misses(self) -> list[str]:
        """Say what isn't as it is wanted."""
        return [
            *_apart("histogram, all rows and columns", self.whole, self.pooled_whole),
            *_apart("histogram", self.wape(HISTOGRAM), self.pooled_wape),
            *_not_lower("histogram", self.wape(HISTOGRAM), self.wape(SCALED)),
            *_not_lower("refitted leaves", self.wape(REFIT), self.wape(SCALED)),
            *_not_lower(
                "refitted leaves at no more exchanges",
                self.refit_at_equal_exchanges,
                self.wape(SCALED),
            ),
        ]


def _apart(name: str, found: float, pooled: float) -> list[str]:
    apart = found / pooled - 1
    if abs(apart) <= WITHIN:
        return []
    return [f"{name}: WAPE {found:.5f}, {apart:+.2%} of pooled XGBoost's, wanted {WITHIN:.1%}"]


def _not_lower(name: str, found: float, scaled: float) -> list[str]:
    if found < scaled:
        return []
    return [f"{name}: WAPE {found:.5f}, wanted one below scaled bagging's {scaled:.5f}"]


def measure(job: Job, rounds: int, seeds: int, scratch: Path) -> JobAccuracy:
    """Run every aggregation on a job."""

    def settings(config: Config, seed: int) -> RunSettings:
        texts = {key: str(value).lower() for key, value in config.items()}
        return job.settings(scratch, **texts, seed=str(seed), **{"num-server-rounds": str(rounds)})

    def run(config: Config, seed: int) -> EvaluatedRun:
        return evaluated_run(settings(config, seed), job.bakeries, scratch / "runs")

    first = RunSettings().seed
    numbers = range(first, first + seeds)
    runs: dict[str, Sequence[EvaluatedRun]] = {
        name: [run(VARIANTS[name], seed) for seed in numbers] for name in EVERY_SEED
    }
    rest = {name: config for name, config in (VARIANTS | OTHERS).items() if name not in EVERY_SEED}
    runs |= {name: [run(config, first)] for name, config in rest.items()}
    histogram = VARIANTS[HISTOGRAM]
    whole = histogram | NO_SAMPLING
    return JobAccuracy(
        bakeries=job.bakeries,
        runs=runs,
        pooled=[pooled_wape(settings(histogram, seed), job.bakeries) for seed in numbers],
        local=local_wape(settings(histogram, first), job.bakeries),
        whole=run(whole, first).last_wape,
        pooled_whole=pooled_wape(settings(whole, first), job.bakeries),
    )


def show(name: str, found: JobAccuracy) -> None:
    """Print a job's table."""
    print(f"\n{name}, {found.bakeries} bakeries; WAPE on the test windows")
    print(
        f"{'':24} {'WAPE':>8} {'seeds':>16} {'exchanges':>9} {'a round':>8} {'kB a bakery':>11} "
        f"{'seconds':>8}"
    )
    for variant, runs in found.runs.items():
        total = runs[0].total
        spread = _spread([run.last_wape for run in runs])
        print(
            f"{variant:24} {found.wape(variant):8.5f} {spread:>16} "
            f"{total.exchanges:9d} {runs[0].exchanges_a_round:8.1f} "
            f"{total.payload / found.bakeries / 1e3:11.0f} {total.seconds:8.1f}"
        )
    print(f"{'XGBoost, pooled':24} {found.pooled_wape:8.5f} {_spread(found.pooled):>16}")
    print(f"{'local':24} {found.local:8.5f}")
    print(
        f"all rows and columns: histogram {found.whole:.5f}, pooled {found.pooled_whole:.5f} "
        f"({found.whole / found.pooled_whole - 1:+.2%})"
    )
    print(
        f"sampled: histogram {found.wape(HISTOGRAM) / found.pooled_wape - 1:+.2%} of pooled; "
        f"refitted leaves at no more exchanges than scaled {found.refit_at_equal_exchanges:.5f}",
        flush=True,
    )


def _spread(values: Sequence[float]) -> str:
    return f"{min(values):.4f} to {max(values):.4f}" if len(values) > 1 else ""


def main() -> int:
    """Print a table a job; 1 when something isn't as it is wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=", ".join(JOBS))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--bakeries", type=int)
    parser.add_argument("--picture", type=Path)
    args = parser.parse_args()
    found: dict[str, JobAccuracy] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in args.jobs or JOB_NAMES:
            job = JOBS[name]
            folder = Path(scratch, name)
            folder.mkdir()
            if not job.available():
                print(f"{name}: left out, its table isn't here (GLEAN_TABLES)")
                continue
            if args.bakeries:
                job = Job(name, min(args.bakeries, job.bakeries), job.overrides, job.table)
            found[name] = measure(job, args.rounds, args.seeds, folder)
            show(name, found[name])
    if args.picture and found:
        args.picture.write_bytes(draw({name: one.curves() for name, one in found.items()}))
    missed = [f"{name}: {line}" for name, one in found.items() for line in one.misses()]
    for line in missed:
        print(line)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
