"""What each piece of the features brings, by itself and together, on windows before the test.

Federated WAPE and that of what each bakery bakes by, on rolling windows that all end before the
job's test window, mean over seeds. Run `python -m benchmarks.features [JOB...]` (options: --seeds
2, --rounds 20, --only PIECE to run some). The real tables come from the folder that GLEAN_TABLES
names. A piece is left out by taking its columns off the definition in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.federations import federation_of, open_bakeries
from benchmarks.jobs import JOBS, ROOT, Job
from benchmarks.rounds_run import as_glean_commands_do
from glean.evaluation.tables.client_tables import client_model_of
from glean.features import definition as definitions
from glean.features import past_sales
from glean.forecasting.forecasters import read_model
from glean.metrics import ErrorSums
from glean.settings import RunSettings

DAYS = 56
"""Length of a window."""

STARTS = {
    "chain": ("2018-07-02", "2019-01-02", "2019-05-06"),
    "restaurants-100": ("2016-11-07", "2016-12-07"),
    "synthetic-5": ("2025-01-12", "2025-03-09"),
    "synthetic-40": ("2025-01-12", "2025-03-09"),
}
"""First days of each job's windows; the last ends the day before the test window."""

PROFILE = tuple(f"profile_{name}" for name in definitions.WEEKDAY_NAMES)

LEVEL = "level of the weekday"

PIECES = {
    "mean of 26": ("weekday_mean_26",),
    "exponential mean": ("weekday_ewm",),
    "exponential ratios": ("weekday_ratio_6", "weekday_ratio_15"),
    "weekday profile": PROFILE,
    "share of the bakery": ("share_of_bakery",),
    LEVEL: (),
}
"""Piece -> its columns. Without the last one the level is the mean of 28 days, as before it."""

BEFORE, ALL = "none of them", "all of them"
METHODS = ("federated", "chosen")


def leave_out(kept: Sequence[str]) -> None:
    """Take all pieces but some off the features of this process."""
    gone = {name for piece, names in PIECES.items() if piece not in kept for name in names}
    definitions.HISTORY = tuple(name for name in definitions.HISTORY if name not in gone)
    if LEVEL not in kept:
        vars(past_sales)["weekday_level"] = lambda columns, _: np.ones(len(columns["lag_1"]))


def window_wapes(
    settings: RunSettings, bakeries: int, end: pd.Timestamp, scratch: Path
) -> dict[str, float]:
    """WAPE by method over all rows from the settings' `test-start` up to the day before `end`."""
    federation = federation_of(settings, bakeries, scratch)
    federation.run()
    content = federation.checkpoints()[-1]
    sums: dict[str, list[ErrorSums]] = {method: [] for method in METHODS}
    for bakery in open_bakeries(settings, bakeries):
        own = client_model_of(bakery, content, learning_rate=0.1, errors=None)
        rows = bakery.test(read_model(content).definition).between(end=end)
        made = own.forecasts(rows)
        for method, found in sums.items():
            found.append(ErrorSums.of(rows.units, made[method]))
    return {method: reduce(add, found, ErrorSums()).wape for method, found in sums.items()}


def run_one(job: Job, rounds: int, seeds: int) -> dict[str, float]:
    """Run all windows and seeds of a job in this process; mean WAPE by method."""
    found: dict[str, list[float]] = {method: [] for method in METHODS}
    first = RunSettings().seed
    with tempfile.TemporaryDirectory() as scratch:
        for start in STARTS[job.name]:
            for seed in range(first, first + seeds):
                settings = job.settings(
                    Path(scratch),
                    test_start=start,
                    secure_sums="false",
                    num_server_rounds=str(rounds),
                    seed=str(seed),
                )
                end = pd.Timestamp(start) + pd.Timedelta(days=DAYS)
                wapes = window_wapes(settings, job.bakeries, end, Path(scratch, "runs"))
                for method, wape in wapes.items():
                    found[method].append(wape)
    return {method: statistics.fmean(wapes) for method, wapes in found.items()}


def in_own_process(job: str, kept: Sequence[str], args: argparse.Namespace) -> dict[str, float]:
    """Run a job with some of the pieces."""
    words = [f"--rounds={args.rounds}", f"--seeds={args.seeds}", "--here", *kept]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.features", job, *words],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print a table a job."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=", ".join(STARTS))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", nargs="*", metavar="PIECE", choices=[*PIECES, ALL])
    parser.add_argument("--here", nargs="*", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here is not None:
        as_glean_commands_do()
        leave_out(args.here)
        print(json.dumps(run_one(JOBS[args.jobs[0]], args.rounds, args.seeds)))
        return
    variants = {BEFORE: (), **{piece: (piece,) for piece in PIECES}, ALL: tuple(PIECES)}
    wanted = {BEFORE, *(args.only or variants)}
    for job in args.jobs or STARTS:
        if not JOBS[job].available():
            print(f"{job}: left out, its table isn't here (GLEAN_TABLES)")
            continue
        print(f"\n{job}: WAPE on windows from {', '.join(STARTS[job])}")
        base: dict[str, float] = {}
        for name, kept in variants.items():
            if name in wanted:
                found = in_own_process(job, kept, args)
                base = base or found
                cells = "  ".join(
                    f"{m} {found[m]:.4f} ({found[m] / base[m] - 1:+.1%})" for m in METHODS
                )
                print(f"{name:20} {cells}", flush=True)


if __name__ == "__main__":
    main()
