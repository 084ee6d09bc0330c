"""What one large order does to the plans after it: ten times the usual on one day of the last 60.

Of up to 20 bakeries of each job a product and a day are drawn; the plans for tomorrow and the next
four same weekdays, with the order in the table, are compared with those of a table without that
row. Wanted: 2% apart in the median and 10% at most. Beside it stand how far they are apart where
the bakery's own model isn't trained anew, as a home keeps it, and how far it moves them to leave
out an ordinary day, with the own model trained anew. Run `python -m benchmarks.outlier_days
[JOB...]` (--seed 1); the real tables come from the folder that GLEAN_TABLES names.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.federations import federation_of, open_bakeries
from benchmarks.jobs import JOBS, Job
from benchmarks.rounds_run import as_glean_commands_do
from glean.forecasting.context import ForecastContext
from glean.metrics import Floats
from glean.operations.planning.bakery_context import make_context
from glean.operations.planning.plan import make_plan
from glean.sales.table import SalesTable

JOB_NAMES = ("synthetic-5", "synthetic-40", "chain", "restaurants-100")
BAKERIES = 20
LAST_DAYS = 60
TIMES = 10
WEEKS = 4
"""Plans are compared for tomorrow and so many same weekdays; a forecast reaches 28 days ahead."""

MEDIAN, MOST = 0.02, 0.10


ANEW, KEPT, ORDINARY = "own model anew", "own model kept", "ordinary day left out"


def expected_units(context: ForecastContext, product: str) -> Floats:
    """Units expected of a product on the day after the last one, and the same weekdays after it."""
    first = context.today + pd.Timedelta(days=1)
    days = [first + pd.Timedelta(weeks=k) for k in range(WEEKS)]
    found = []
    for day in days:
        lines = {
            one.product: one.expected for one in make_plan(context, {}, date=day).plan.products
        }
        found.append(lines.get(product, np.nan))
    return np.array(found)


def apart(units: Floats, others: Floats) -> list[float]:
    """How far plans are apart, as shares of the others; without what isn't planned."""
    there = (units >= 0) & (others > 0)
    return [float(share) for share in np.abs(units[there] / others[there] - 1)]


def differences(job: Job, seed: int, scratch: Path) -> dict[str, list[float]]:
    """How far the plans are apart, as shares, over all drawn bakeries and days."""
    settings = job.settings(scratch, secure_sums="false")
    federation = federation_of(settings, job.bakeries, scratch / "runs")
    federation.run()
    model = scratch / "model.ubj"
    model.write_bytes(federation.checkpoints()[-1])
    rng = np.random.default_rng(seed)
    found: dict[str, list[float]] = {ANEW: [], KEPT: [], ORDINARY: []}
    for bakery in open_bakeries(settings, job.bakeries)[:BAKERIES]:
        rows, region = bakery.sales.table.rows, bakery.sales.region
        recent = rows[rows["date"] > rows["date"].max() - pd.Timedelta(days=LAST_DAYS)]
        row = int(rng.choice(recent.index[recent["units"] > 0]))
        product = str(rows["product"][row])
        weekday = rows["date"].dt.day_of_week == rows["date"][row].day_of_week
        usual = rows.loc[weekday & (rows["product"] == product), "units"].tail(8).median()
        order = rows.assign(units=rows["units"].where(rows.index != row, TIMES * usual))
        missing = rows[rows.index != row].reset_index(drop=True)
        with_it, without, ordinary = (
            make_context(model, SalesTable(table), products={}, region=region)
            for table in (order, missing, rows)
        )
        kept = replace(with_it, client_model=without.client_model)
        others = expected_units(without, product)
        for kind, context in ((ANEW, with_it), (KEPT, kept), (ORDINARY, ordinary)):
            found[kind] += apart(expected_units(context, product), others)
    return found


def main() -> int:
    """Print a line a job; 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=", ".join(JOB_NAMES))
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    as_glean_commands_do()
    missed = False
    for name in args.jobs or JOB_NAMES:
        if not JOBS[name].available():
            print(f"{name}: left out, its table isn't here (GLEAN_TABLES)")
            continue
        with tempfile.TemporaryDirectory() as scratch:
            found = differences(JOBS[name], args.seed, Path(scratch))
        for kind, shares in found.items():
            median, most = statistics.median(shares), max(shares)
            missed |= kind == ANEW and (median > MEDIAN or most > MOST)
            words = f"{len(shares)} plans: median {median:.1%}, most {most:.1%}"
            print(f"{name:16} {kind:22} {words}", flush=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
