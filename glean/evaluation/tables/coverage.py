"""How sure the forecasts were of one bakery: coverage and width of intervals, and the PIT.

In come the test rows with their rolling quantiles; out comes a row of `coverage.csv`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from glean.features.matrix import FeatureMatrix
from glean.forecasting.rolling_origin import RollingQuantiles

INTERVALS = (80, 95)
"""Per cent of the days that an interval should hold."""

PIT_BINS = 10

COVERAGE_COLUMNS = (
    "bakery",
    "cohort",
    "rows",
    "days",
    *(f"{what}_{interval}" for interval in INTERVALS for what in ("coverage", "width", "error")),
    *(f"pit_{k}" for k in range(1, PIT_BINS + 1)),
)
"""Columns of `coverage.csv`: `width` is the mean width over the mean sales, `error` the standard
error of the coverage by day, `pit_k` the share of rows in the k-th tenth: a tenth is right."""


def ends_of(interval: int) -> tuple[float, float]:
    """Levels of the quantiles at an interval's ends.

    Examples
    --------
    >>> ends_of(80)
    (0.1, 0.9)
    """
    return (100 - interval) / 200, (100 + interval) / 200


def coverage_row(
    features: FeatureMatrix, quantiles: RollingQuantiles, *, bakery: str, cohort: str
) -> pd.DataFrame:
    """Say how often the intervals held, as a table of one row with `COVERAGE_COLUMNS`.

    Parameters
    ----------
    features : FeatureMatrix
        n test rows.
    quantiles : RollingQuantiles
        Theirs, with the ends of both `INTERVALS` among the levels.
    bakery, cohort : str
        As they shall stand in the row.
    """
    dates = features.keys["date"]
    row: dict[str, object] = {
        "bakery": bakery,
        "cohort": cohort,
        "rows": len(features),
        "days": int(dates.nunique()),
    }
    for interval in INTERVALS:
        low, high = (quantiles.at(level) for level in ends_of(interval))
        inside = (features.units >= low) & (features.units <= high)
        by_day = pd.Series(inside.astype(float)).groupby(dates.to_numpy()).mean()
        mean = float(features.units.mean()) if len(features) else 0.0
        row[f"coverage_{interval}"] = float(inside.mean()) if len(features) else np.nan
        row[f"width_{interval}"] = float((high - low).mean()) / mean if mean > 0 else np.nan
        row[f"error_{interval}"] = float(by_day.std(ddof=1) / np.sqrt(max(len(by_day), 1)))
    counts = np.histogram(quantiles.pit, bins=PIT_BINS, range=(0.0, 1.0))[0]
    shares = counts / max(len(features), 1)
    row |= {f"pit_{k}": float(share) for k, share in enumerate(shares, start=1)}
    return pd.DataFrame([row], columns=list(COVERAGE_COLUMNS))
