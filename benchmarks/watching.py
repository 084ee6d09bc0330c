"""Coverage on windows before the test windows, by how fast intervals follow what they missed.

What `forecasting/adaptive_conformal.py` does was chosen here. Each job runs on several windows
that end where the next one, or the test window, begins; by job the mean over these of how far the
coverage of 80% and 95% is from nominal, in points, of both coverages, and of the pinball loss
against intervals that don't watch themselves.
Run `python -m benchmarks.watching [JOB...]` (all of them take half an
hour); the real tables come from the folder that GLEAN_TABLES names.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.coverage import SINGLE_BAKERIES
from benchmarks.federations import clear_caches, federation_of, open_bakeries
from benchmarks.jobs import JOBS, Job
from glean.evaluation.tables.client_tables import client_model_of
from glean.forecasting import adaptive_conformal
from glean.forecasting.adaptive_conformal import (
    ADAPTIVE_INTERVALS,
    AdaptedInterval,
    adapted_intervals,
)
from glean.forecasting.calibration import Calibration
from glean.forecasting.forecasters import read_model
from glean.forecasting.residuals import Residuals
from glean.forecasting.rolling_origin import residuals
from glean.learning.learning_rates import learning_rate_of
from glean.metrics import Floats

STARTS = {
    "chain": pd.date_range("2017-01-01", "2019-07-01", freq="QS"),
    "restaurants-100": pd.DatetimeIndex(["2016-09-15", "2016-11-01", "2016-12-15", "2017-02-01"]),
    "synthetic-40": pd.date_range("2024-06-02", "2025-05-04", freq="56D"),
    "edinburgh": pd.DatetimeIndex(["2016-12-19", "2017-01-16", "2017-02-13"]),
    "stuttgart": pd.date_range("2014-06-22", "2015-09-13", freq="56D"),
}
LEVELS = np.array([0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975])
INTERVALS = {0.8: (1, 5), 0.95: (0, 6)}
"""Share -> places of its ends among the levels."""

VARIANTS = {
    name: tuple(
        AdaptedInterval(watched.level, times * watched.step_size) for watched in ADAPTIVE_INTERVALS
    )
    for name, times in (("not watched", 0.0), ("half", 0.5), ("as it is", 1.0), ("twice", 2.0))
}


@dataclass(frozen=True)
class Window:
    """One bakery's window: what was known before, and its rows."""

    known: Residuals
    window: Residuals
    horizon_days: int
    prior: Calibration | None


def windows(job: Job, scratch: Path) -> Iterator[list[Window]]:
    """Run a job on each of its windows."""
    for start, end in pairwise(STARTS[job.name]):
        yield _window(job, start, end, scratch)


def _window(job: Job, start: pd.Timestamp, end: pd.Timestamp, scratch: Path) -> list[Window]:
    least = {"min_available_bakeries": "1"} if job.bakeries == 1 else {}
    settings = job.settings(scratch, test_start=str(start.date()), secure_sums="false", **least)
    federation = federation_of(settings, job.bakeries, scratch / "runs")
    result = federation.run()
    errors = federation.sum_errors(result)
    model, found = result.model.to_bytes(), []
    definition = read_model(model).definition
    rate = learning_rate_of(settings.rounds)
    for bakery in open_bakeries(settings, job.bakeries):
        own = client_model_of(bakery, model, learning_rate=rate, errors=errors)
        rows = bakery.features(definition).between(start, end)
        rows = rows.rows(np.isfinite(rows.units))
        past = own.residuals(bakery.training(definition), bakery.validation(definition))
        window = residuals(rows, own.forecasts(rows)["chosen"], fitted=False)
        known = past["chosen"].plus(window)
        found.append(Window(known, window, definition.horizon_days, own.prior))
    clear_caches()
    return found


def evaluate(bakeries: list[Window]) -> dict[str, float]:
    """Coverage and pinball loss (of all levels, over the units sold) of a window."""
    parts = [_quantiles(bakery) for bakery in bakeries if len(bakery.window.days)]
    quantiles = np.concatenate(parts)
    units = np.concatenate([bakery.window.units for bakery in bakeries])
    error = units[:, None] - quantiles
    found = {"pinball": float(np.maximum(LEVELS * error, (LEVELS - 1) * error).sum() / units.sum())}
    off = []
    for share, (low, high) in INTERVALS.items():
        inside = (quantiles[:, low] <= units) & (units <= quantiles[:, high])
        found[f"{share:.0%}"] = 100 * float(inside.mean())
        off.append(abs(float(inside.mean()) - share))
    return {"points off": 100 * float(np.mean(off))} | found


def _quantiles(bakery: Window) -> Floats:
    window = bakery.window
    days = np.unique(window.days).tolist()
    found = np.empty((len(window.days), len(LEVELS)))
    for day, calibration in adapted_intervals(
        bakery.known, days, horizon_days=bakery.horizon_days, prior=bakery.prior
    ).items():
        mine = window.rows(window.days == day)
        found[window.days == day] = calibration.quantiles(
            mine.forecast, mine.days, LEVELS, mine.near_holiday, mine.products
        )
    return found


def compare(job: Job, scratch: Path) -> pd.DataFrame:
    """Give a row a variant, means over the job's windows."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in VARIANTS}
    for bakeries in windows(job, scratch):
        for name, variant in VARIANTS.items():
            adaptive_conformal.ADAPTIVE_INTERVALS = variant
            found[name].append(evaluate(bakeries))
    tables = {name: pd.DataFrame(rows) for name, rows in found.items()}
    base = tables["not watched"]["pinball"]
    for table in tables.values():
        table["pinball"] = 100 * np.log(table["pinball"] / base)
    return pd.DataFrame({name: table.mean() for name, table in tables.items()}).T


def main() -> None:
    """Print a table a job, and the mean over the jobs."""
    jobs = {job.name: job for job in (*JOBS.values(), *SINGLE_BAKERIES) if job.name in STARTS}
    names = sys.argv[1:] or [name for name, job in jobs.items() if job.available()]
    tables = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            tables[name] = compare(jobs[name], Path(scratch))
            print(f"\n{name}\n{tables[name].to_string(float_format='%.2f')}", flush=True)
    whole = pd.concat(tables.values()).groupby(level=0, sort=False).mean()
    print(f"\nmean of the jobs; pinball in %\n{whole.to_string(float_format='%.2f')}")


if __name__ == "__main__":
    main()
