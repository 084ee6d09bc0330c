"""Outlier days: a product sold many times the usual on one day, as for a single large order.

Such a day says nothing of the days after it: a forecast leaves it out of levels, means and habits,
learns nothing from it and isn't chosen by it. Only earlier days are looked at, so that no feature
sees a later one; so a new level stands out for its first days only. What a product sold as much of
now and then isn't an outlier. (The doctor's rule, `glean/sales/quality/outliers.py`, looks to both
sides and names small days too: it asks for a look, and changes nothing.)
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.integer]

SAME_WEEKDAYS = 8
"""The usual of a day is the median of so many same weekdays before it, ..."""

LAST_DAYS = 5
"""... or the median of so many days before it, if that is more: then the level has changed."""

FEWEST_WEEKDAYS = 3
COMPARED_DAYS = 56
"""Days before it that say how far days of this product are from the usual."""

FEWEST_DAYS = 14
TIMES_USUAL = 3.0
"""A day is an outlier if it is more than so many times the usual, ..."""

TIMES_HIGH, HIGH = 2.0, 0.95
"""... and more than so many times what is exceeded on one in twenty days, both over the usual."""


def usual_of_outliers(rows: pd.DataFrame) -> Floats:
    """Find outlier days, and what was usual then.

    Parameters
    ----------
    rows : DataFrame
        n rows with `date`, `bakery`, `product`, `units` (NaN: not sold yet), as in a `SalesTable`.

    Returns
    -------
    array of shape (n,)
        Units that were usual on an outlier day; NaN on every other day.
    """
    units = rows["units"].reset_index(drop=True)
    known = units[units.notna()]
    series = rows.groupby(["bakery", "product"], sort=False).ngroup().to_numpy()[known.index]
    weekday = rows["date"].dt.day_of_week.to_numpy()[known.index]
    same = _before(known, [series, weekday], SAME_WEEKDAYS, FEWEST_WEEKDAYS, level=0.5)
    last = _before(known, [series], LAST_DAYS, LAST_DAYS, level=0.5)
    usual = np.fmax(same, last)
    times: pd.Series[float] = (known / usual).where(usual > 0)
    high = _before(times, [series], COMPARED_DAYS, FEWEST_DAYS, level=HIGH)
    odd = (times > TIMES_USUAL) & (times > TIMES_HIGH * high)
    found = usual.where(odd).reindex(units.index)
    return np.asarray(found, dtype=np.float64)


def _before(
    values: pd.Series[float], by: list[Whole], days: int, fewest: int, *, level: float
) -> pd.Series[float]:
    """Quantile of the values before each one, of the same group."""
    earlier = values.groupby(by).rolling(days, min_periods=fewest, closed="left")
    found = earlier.quantile(level)
    return found.droplevel([*range(len(by))]).sort_index()
