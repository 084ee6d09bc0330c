"""Coverage of 80% intervals by product, and of single bakeries that run alone.

Run `python -m benchmarks.coverage [JOB...]` where GLEAN_TABLES says where the real tables are. Of
each job on its test window: the coverage over all rows; of the products of a bakery with a year of
days before it the mean deviation from 80%, beside what chance alone would make of intervals that
hold exactly, and those outside the interval that 99% of them would lie in, by name. Wanted are 1.5
points overall, 5 points in the mean, and none outside. And what plans made of them come to: how
much less is overproduced than by the four-week habit, at its unmet demand; and what is lost at
some critical ratios, in units a unit sold: one missed counts the ratio, one left over the rest.
Then the tables of single bakeries, with their small counts: coverage with two standard errors by
day, and the mean width over the mean sales.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binom

from benchmarks.federations import open_bakeries
from benchmarks.jobs import JOBS, Job
from benchmarks.reference import run_job
from glean.evaluation.tables.coverage import INTERVALS
from glean.evaluation.tables.plan_backtest import curve, savings
from glean.evaluation.tables.results import read_results
from glean.settings import RunSettings

JOB_NAMES = ("chain", "restaurants-100", "synthetic-40")

SINGLE_BAKERIES = (
    Job("edinburgh", 1, table="edinburgh.csv"),
    Job("stuttgart", 1, table="stuttgart.csv"),
)

NOMINAL = 0.8
YEAR_DAYS = 365
OVERALL_POINTS, MEAN_POINTS = 1.5, 5.0

RATIOS = (0.25, 0.5, 0.75, 0.9)
HABIT = "weekday-mean"

SEED = 1
DRAWS = 200


@dataclass(frozen=True)
class ProductCoverage:
    """How often the 80% intervals of a job's products held.

    Parameters
    ----------
    overall : float
        Share of all rows.
    products : DataFrame
        A row a product of a bakery with a year of days: `days` of the test window, the share
        `inside`, and the `lowest` and `highest` that 99% of exact intervals would come to.
    """

    overall: float
    products: pd.DataFrame

    @property
    def points_off(self) -> float:
        """Mean deviation of the products from 80%, in points."""
        return 100 * float((self.products["inside"] - NOMINAL).abs().mean())

    @property
    def points_by_chance(self) -> float:
        """The same of intervals that hold on four days of five by the throw of a coin."""
        days = self.products["days"].to_numpy()
        thrown = np.random.default_rng(SEED).binomial(days, NOMINAL, (DRAWS, len(days)))
        return 100 * float(np.abs(thrown / days - NOMINAL).mean())

    @property
    def outside(self) -> pd.DataFrame:
        """Products that chance doesn't explain."""
        found = self.products
        return found[(found["inside"] < found["lowest"]) | (found["inside"] > found["highest"])]

    @property
    def missed(self) -> bool:
        """Whether one of the limits isn't kept."""
        off = 100 * abs(self.overall - NOMINAL)
        return off > OVERALL_POINTS or self.points_off > MEAN_POINTS or len(self.outside) > 0


def by_product(run: Path, bakeries: int) -> ProductCoverage:
    """Count how often the intervals of a run of so many bakeries held."""
    results = read_results(run)
    settings = RunSettings.from_config(results.run.settings)
    assert results.days is not None, "a run with baselines has days.csv"
    days = results.days
    days = days.assign(inside=days["units"].between(days["lower_80"], days["upper_80"]))
    grouped = days.groupby(["bakery", "product"])["inside"]
    products = grouped.agg(days="size", inside="mean")
    before = pd.concat(
        [
            bakery.sales.table.rows[bakery.sales.table.rows["date"] < bakery.windows.test_start]
            for bakery in open_bakeries(settings, bakeries)
        ]
    )
    known = before.groupby(["bakery", "product"]).size()
    products = products[known.reindex(products.index, fill_value=0) >= YEAR_DAYS]
    lowest, highest = binom.interval(0.99, products["days"], NOMINAL)
    return ProductCoverage(
        float(days["inside"].mean()),
        products.assign(lowest=lowest / products["days"], highest=highest / products["days"]),
    )


def less_overproduced(plans: pd.DataFrame) -> float:
    """Give the share by which plans overproduce less than the habit, at its unmet demand."""
    found = savings(plans)
    habit = found[(found["policy"] == HABIT) & (found["margin"] == 0)].iloc[0]
    return 1 - float(habit["plan_overproduced"] / habit["overproduced"])


def losses(plans: pd.DataFrame) -> dict[float, float]:
    """Give what plans lose at `RATIOS`, in units a unit sold."""
    found = curve(plans)
    plan = found[found["policy"] == "plan"].set_index("margin")
    return {
        ratio: float(ratio * plan["unmet"][ratio] + (1 - ratio) * plan["overproduced"][ratio])
        for ratio in RATIOS
    }


def single_bakery(run: Path) -> dict[str, float]:
    """Coverage, twice its standard error by day, and width, of the only bakery of a run."""
    table = read_results(run).coverage
    assert table is not None, "a run with baselines has coverage.csv"
    row = table.iloc[0]
    found = {"days": float(row["days"]), "rows": float(row["rows"])}
    for interval in INTERVALS:
        found[f"coverage {interval}"] = float(row[f"coverage_{interval}"])
        found[f"2 se {interval}"] = 2 * float(row[f"error_{interval}"])
        found[f"width {interval}"] = float(row[f"width_{interval}"])
    return found


def show(name: str, found: ProductCoverage) -> None:
    """Print what a job came to."""
    outside = found.outside
    print(
        f"{name:16} all rows {found.overall:.1%}; {len(found.products)} products with a year of "
        f"days: {found.points_off:.1f} points off in the mean (chance alone: "
        f"{found.points_by_chance:.1f}), {len(outside)} outside"
    )
    if len(outside):
        print(outside.to_string(float_format="%.3f"))


def show_plans(run: Path) -> None:
    """Print what the plans of a run's test window come to."""
    plans = read_results(run).plans
    assert plans is not None, "a run with baselines has plan.csv"
    lost = ", ".join(f"{units:.4f} at {ratio}" for ratio, units in losses(plans).items())
    print(f"{'':16} overproduced {less_overproduced(plans):.1%} less than by habit; lost {lost}")
    sys.stdout.flush()


def main() -> int:
    """Print the jobs, then a row a single bakery; 1 where a limit is missed."""
    names, missed, rows = sys.argv[1:] or JOB_NAMES, False, {}
    with tempfile.TemporaryDirectory() as scratch:
        for job in (JOBS[name] for name in names):
            if job.available():
                run = run_job(job, "inprocess", Path(scratch), "privacy=sums")
                found = by_product(run, job.bakeries)
                show(job.name, found)
                show_plans(run)
                missed |= found.missed
        if not sys.argv[1:]:
            rows = {
                job.name: single_bakery(run_job(job, "inprocess", Path(scratch)))
                for job in SINGLE_BAKERIES
                if job.available()
            }
    if rows:
        print(pd.DataFrame(rows).T.to_string(float_format="%.3f"))
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
