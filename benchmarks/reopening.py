"""How far off plans of a reopening are: restaurants that were shut for more than 45 days.

Of all restaurants of the export those count that sold on 60 days before they were shut, and on
three of their first 14 days afterwards. Each of these 14 days is planned by `--date` from the sales
up to the closure, by the model of the job `restaurants-100` and an own one of these sales. Beside
the plans stand the last same weekday before the closure, and the same weekday of the year before
where the restaurant had one. Run `python -m benchmarks.reopening`; the table comes from the folder
that GLEAN_TABLES names.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.federations import federation_of
from benchmarks.jobs import JOBS, import_table
from benchmarks.rounds_run import as_glean_commands_do
from glean.features.past_sales import SAME_DAY_LAST_YEAR
from glean.features.seasons import PAUSE_DAYS
from glean.operations.planning.bakery_context import make_context
from glean.operations.planning.plan import make_plan
from glean.sales.reading.sales_file import read_sales
from glean.sales.table import SalesTable

JOB = JOBS["restaurants-100"]
DAYS = 14
FEWEST_BEFORE, FEWEST_AFTER = 60, 3
EVERYONE = ("--min-days", "0", "--first", "0")

PLAN, LAST_WEEKDAY, LAST_YEAR = "plan", "last same weekday", "a year before"
METHODS = (PLAN, LAST_WEEKDAY, LAST_YEAR)


def reopenings(sold: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Give the days before each closure of one bakery, and the first ones afterwards.

    Parameters
    ----------
    sold : DataFrame
        Its rows of a single product, by date, on days with a sale.
    """
    shut = sold["date"].diff().dt.days > PAUSE_DAYS
    for opened in sold.loc[shut, "date"]:
        before = sold[sold["date"] < opened]
        after = sold[sold["date"].between(opened, opened + pd.Timedelta(days=DAYS - 1))]
        if len(before) >= FEWEST_BEFORE and len(after) >= FEWEST_AFTER:
            yield before, after


def forecasts(model: Path, before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Forecast the first days of a reopening: a row a day, a column a method; NaN: none."""
    context = make_context(model, SalesTable(before.reset_index(drop=True)), products={})
    units = before.set_index("date")["units"]
    rows = []
    for day in after["date"]:
        lines = make_plan(context, {}, date=day).plan.products
        same = before.loc[before["date"].dt.day_of_week == day.day_of_week, "units"]
        rows.append(
            {
                PLAN: lines[0].expected if lines else np.nan,
                LAST_WEEKDAY: same.iloc[-1] if len(same) else np.nan,
                LAST_YEAR: units.get(day - pd.Timedelta(days=SAME_DAY_LAST_YEAR), np.nan),
            }
        )
    return pd.DataFrame(rows, index=after.index).join(after[["bakery", "date", "units"]])


def show(found: pd.DataFrame, methods: tuple[str, ...]) -> None:
    """Print the WAPE of days that all these methods forecast, and its median by bakery."""
    both = found.dropna(subset=list(methods))
    off = both[list(methods)].sub(both["units"], axis="index").abs()
    sums = off.assign(units=both["units"]).groupby(both["bakery"]).sum()
    single = sums[list(methods)].div(sums["units"], axis="index").median()
    print(f"{len(both)} days of {len(sums)} restaurants, {both['units'].sum():.0f} sold")
    for method in methods:
        wape = off[method].sum() / both["units"].sum()
        print(f"  {method:18} WAPE {wape:.1%}, median by restaurant {single[method]:.1%}")


def main() -> None:
    """Print both comparisons."""
    if not JOB.available():
        print(f"{JOB.name}: left out, its table isn't here (GLEAN_TABLES)")
        return
    as_glean_commands_do()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        settings = JOB.settings(scratch, secure_sums="false")
        federation = federation_of(settings, JOB.bakeries, scratch / "runs")
        federation.run()
        model = scratch / "model.ubj"
        model.write_bytes(federation.checkpoints()[-1])
        everyone = scratch / "everyone"
        everyone.mkdir()
        rows = read_sales(import_table(JOB.table, everyone, *EVERYONE)).rows
        found = [
            forecasts(model, before, after)
            for _, sold in rows[rows["units"] > 0].groupby("bakery")
            for before, after in reopenings(sold)
        ]
    table = pd.concat(found, ignore_index=True)
    missing = table[PLAN].isna().sum()
    print(f"{len(found)} reopenings, {missing} of {len(table)} days without a plan")
    show(table, (PLAN, LAST_WEEKDAY))
    show(table, METHODS)


if __name__ == "__main__":
    main()
