"""Forecasts of a bakery with no sales at all, and of its first days, from what it states.

The newcomers of a job are stripped of their sales but for the last days before a week of the test;
each states its products' sizes, a fifth wrong by chance. Four weeks are forecast, each from the
days before it. Run `python -m benchmarks.cold_start [JOB...]`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.jobs import JOBS
from benchmarks.joining import NEWCOMERS
from benchmarks.reference import run_job
from glean.evaluation.tables.results import read_results
from glean.features.bakery_rows import bakery_rows_of
from glean.features.matrix import build_features
from glean.forecasting.cold_start import weekday_profile, with_cold_start
from glean.forecasting.forecast_model import ForecastModel
from glean.forecasting.forecasters import read_model
from glean.forecasting.recursive_forecast import on_usual_days
from glean.node_settings import NodeSettings
from glean.sales.partitions import BakerySales
from glean.sales.products import Product
from glean.sales.table import SalesTable
from glean.settings import RunSettings

DAYS_KNOWN = (0, 3, 7, 14)
WEEKS = 4
WEEK = pd.Timedelta(days=7)
WRONG_BY = 0.2
"""Standard deviation of the logarithm of stated over true size."""


def measure(run: Path) -> pd.DataFrame:
    """WAPE by days of sales known: the federation's model, and the stated size alone."""
    results = read_results(run)
    settings = RunSettings.from_config(results.run.settings)
    model = read_model((run / "model.ubj").read_bytes())
    newcomers = set(results.run.facts["newcomers"])
    rows = []
    for node in range(len(results.run.facts["bakeries"])):
        bakery = bakery_rows_of(NodeSettings(node), settings)
        if bakery is None or bakery.sales.name not in newcomers:
            continue
        rng = np.random.default_rng(node)
        sales, start = bakery.sales, bakery.windows.test_start
        products = _stated_products(sales.table.rows[sales.table.rows["date"] < start], rng)
        if not products:
            continue
        for days in DAYS_KNOWN:
            for week in range(WEEKS):
                origin = start + week * WEEK
                rows += _week_errors(sales, model, products, origin=origin, days=days)
    table = pd.DataFrame(rows)
    sums = table.groupby("days known")[["units", "model", "profile", "size"]].sum()
    return sums[["model", "profile", "size"]].div(sums["units"], axis="index")


def _stated_products(before: pd.DataFrame, rng: np.random.Generator) -> dict[str, Product]:
    """Make up what a bakery would say of its products: their size of late, wrong by chance."""
    sizes = before.groupby("product")["units"].apply(lambda units: units.tail(60).mean())
    return {
        str(name): Product(str(name), expected_units=size * float(np.exp(rng.normal(0, WRONG_BY))))
        for name, size in sizes.items()
    }


def _week_errors(
    sales: BakerySales,
    model: ForecastModel,
    products: dict[str, Product],
    *,
    origin: pd.Timestamp,
    days: int,
) -> list[dict[str, float]]:
    """Errors of a week's forecasts with so many days of sales known before it."""
    rows = sales.table.rows
    rows = rows[rows["product"].isin(list(products))]
    open_weekdays = tuple(sorted(rows["date"].dt.day_of_week.unique().tolist()))
    profile = weekday_profile(model)
    known = rows[(rows["date"] >= origin - pd.Timedelta(days=days)) & (rows["date"] < origin)]
    made = with_cold_start(
        SalesTable(known),
        products,
        profile=profile,
        open_weekdays=open_weekdays,
        today=origin - pd.Timedelta(days=1),
        bakery=sales.name,
    ).rows
    found = []
    for day in pd.date_range(origin, origin + WEEK, freq="D", inclusive="left"):
        asked = rows[rows["date"] == day]
        if asked.empty:
            continue
        whole = pd.concat([made, asked.assign(units=np.nan)], ignore_index=True)
        whole = whole.sort_values(["product", "date"], ignore_index=True)
        features = build_features(SalesTable(whole), model.definition, region=sales.region).between(
            day
        )
        names = features.keys["product"]
        shape = profile[day.day_of_week] / profile[list(open_weekdays)].mean()
        # As `recursive_forecast` does it: without a sale the profile, moved by what the day has.
        forecast = model.predict(features)
        if not days:
            forecast *= features.mean_28 * shape / model.predict(on_usual_days(features))
        actual = asked.set_index("product")["units"].reindex(names).to_numpy()
        stated = np.array([products[name].expected_units for name in names])
        found.append(
            {
                "days known": float(days),
                "units": float(actual.sum()),
                "model": float(np.abs(forecast - actual).sum()),
                "profile": float(np.abs(stated * shape - actual).sum()),
                "size": float(np.abs(stated - actual).sum()),
            }
        )
        filled = features.keys.assign(units=forecast)
        made = pd.concat([made, filled], ignore_index=True)
    return found


def main() -> None:
    """Print a table a job."""
    names = sys.argv[1:] or [n for n in ("synthetic-40", "restaurants-100") if JOBS[n].available()]
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            run = run_job(JOBS[name], "inprocess", Path(scratch), *NEWCOMERS)
            print(f"\n{name}: WAPE of newcomers by days of sales known")
            print(measure(run).to_string(float_format="%.3f"))


if __name__ == "__main__":
    main()
