"""What noise costs on the reference jobs, by epsilon: `glean privacy-curve`, with what is wanted.

Run `python -m benchmarks.privacy_curve [JOB...]` (options: --seeds 10, --bakeries 5,10 for the
first bakeries of a job, --out FOLDER to keep the curves); without names synthetic-40 and, where
GLEAN_TABLES says where the real tables are, restaurants-100.

At the default epsilon, as means over seeds and with all bakeries of a job, it is wanted that what
bakeries choose is at most 1% above mode "sums", and newcomers' choice at least 8% below each alone;
on synthetic-40 also that the shared model is at most 3% above mode "sums" and at least 8% below the
weekday-mean.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console

from benchmarks.jobs import JOBS
from glean.cli.tables import final_result
from glean.evaluation.tables.privacy_curve import SUMS
from glean.evaluation.tables.privacy_summary import means_and_worst
from glean.noise_settings import NoiseSettings
from glean.operations.reports.privacy_curve import prepare_curve, run_curve

JUDGED = ("synthetic-40", "restaurants-100")
SHARED_IS_JUDGED = "synthetic-40"


@dataclass(frozen=True)
class Limit:
    """How much a mean at the default epsilon may be above another one; below 0: has to be below."""

    name: str
    measure: str
    beside: str
    most: float


SHARED_LIMITS = (
    Limit("shared model, beside sums", "wape_federated", SUMS, 0.03),
    Limit("shared model, beside the weekday-mean", "wape_federated", "wape_weekday_mean", -0.08),
)
LIMITS = (
    Limit("chosen, beside sums", "wape_chosen", SUMS, 0.01),
    Limit("newcomers' choice, beside alone", "newcomers_chosen", "newcomers_local", -0.08),
)


def misses(name: str, curve: pd.DataFrame) -> list[str]:
    """Say which limits a job's curve doesn't keep."""
    means = means_and_worst(curve)
    (found,) = means[means["epsilon"] == NoiseSettings().epsilon].to_dict("records")
    (sums,) = means[means["privacy"] == SUMS].to_dict("records")
    missed = []
    for limit in (*LIMITS, *(SHARED_LIMITS if name == SHARED_IS_JUDGED else ())):
        other = (sums if limit.beside == SUMS else found)[
            limit.measure if limit.beside == SUMS else limit.beside
        ]
        change = found[limit.measure] / other - 1
        if not change <= limit.most:
            missed.append(f"{name}: {limit.name}: {change:+.1%}, wanted at most {limit.most:+.0%}")
    return missed


def measure(name: str, counts: list[int], seeds: int, out: Path) -> list[str]:
    """Print the curve of a job; what isn't as it is wanted of all its bakeries."""
    job = JOBS[name]
    config = job.settings(out).to_config()
    given = {k: v for k, v in config.items() if k not in ("privacy", "epsilon", "aggregation")}
    prepared = prepare_curve(
        given, bakeries=counts or [job.bakeries], seeds=seeds, results=out / name
    )
    written = run_curve(prepared, lambda row: print(row.to_dict(), file=sys.stderr))
    for table in written.tables:
        Console().print(final_result(table))
    curve = pd.read_csv(written.paths[0])
    whole = curve[curve["bakeries"] == job.bakeries]
    return misses(name, whole) if len(whole) else []


def main() -> int:
    """Print a curve a job; 1 when something isn't as it is wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("jobs", nargs="*", metavar="JOB")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--bakeries", default="", help="numbers, separated by commas")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    names = args.jobs or [name for name in JUDGED if JOBS[name].available()]
    counts = [int(number) for number in args.bakeries.split(",") if number]
    missed: list[str] = []
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            missed += measure(name, counts, args.seeds, args.out or Path(scratch))
    for line in missed:
        print(line)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
