"""From how many bakeries on is a noised model worth it? WAPE over the weekday-mean's, by size.

Noise as in a run at the default epsilon, on the first bakeries of synthetic-40 and for tables of
several lengths: as they are, and cut to their last days before the test window. Run `python -m
benchmarks.small_federations` (options: --sizes 3,5,10,20,40, --days 60,365,0 where 0 is all,
--epsilon 4, --seeds 2).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from dataclasses import replace
from functools import reduce
from operator import add
from pathlib import Path

from benchmarks.federations import feature_definition
from benchmarks.jobs import JOBS
from glean.evaluation.tables.noised_training import NoisedTraining
from glean.features.bakery_rows import BakeryRows, bakery_rows_of
from glean.forecasting.baselines import baselines
from glean.forecasting.forecasters import TreeForecaster
from glean.metrics import ErrorSums
from glean.node_settings import NodeSettings
from glean.sales.windows import windows_of
from glean.settings import RunSettings

JOB = "synthetic-40"


def rows_cut_to(settings: RunSettings, bakeries: int, days: int) -> list[BakeryRows]:
    """Rows of the first bakeries; with `days` cut to that many before the test window."""
    nodes = (NodeSettings(place, bakeries) for place in range(bakeries))
    found = [rows for node in nodes if (rows := bakery_rows_of(node, settings)) is not None]
    return [_cut(each, days) for each in found] if days else found


def _cut(rows: BakeryRows, days: int) -> BakeryRows:
    sales = rows.sales.since(rows.windows.test_start, days=days)
    windows = windows_of(sales.table, rows.settings.windows)
    return BakeryRows(rows.node, sales, windows, rows.settings)


def ratio(settings: RunSettings, bakeries: int, days: int) -> float:
    """WAPE of the shared model over that of the weekday-mean, on the same test rows."""
    rows = rows_cut_to(settings, bakeries, days)
    definition = feature_definition(rows, settings)
    training = [each.training(definition) for each in rows if each.trains]
    model = TreeForecaster(NoisedTraining(training, definition, settings).train(settings))
    tests = [each.test(definition) for each in rows]
    shared = [ErrorSums.of(test.units, model.predict(test)) for test in tests]
    habit = [ErrorSums.of(test.units, baselines(test)["weekday-mean"]) for test in tests]
    return reduce(add, shared).wape / reduce(add, habit).wape


def main() -> int:
    """Print a row a size and a column a length of the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="3,5,10,20,40")
    parser.add_argument("--days", default="60,365,0")
    parser.add_argument("--epsilon", default=str(RunSettings().noise.epsilon))
    parser.add_argument("--seeds", type=int, default=2)
    args = parser.parse_args()
    lengths = [int(days) for days in args.days.split(",")]
    print(f"WAPE over the weekday-mean's, epsilon {args.epsilon}; mean of {args.seeds} seeds")
    print("bakeries", *(f"{days} days" if days else "all days" for days in lengths), sep="\t")
    with tempfile.TemporaryDirectory() as scratch:
        settings = JOBS[JOB].settings(Path(scratch), privacy="noise", epsilon=args.epsilon)
        seeded = [replace(settings, seed=settings.seed + k) for k in range(args.seeds)]
        for size in (int(text) for text in args.sizes.split(",")):
            found = [[ratio(each, size, days) for each in seeded] for days in lengths]
            print(size, *(f"{statistics.fmean(each):.3f}" for each in found), sep="\t", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
