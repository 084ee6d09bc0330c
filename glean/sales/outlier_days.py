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
WEEK = 7
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
    units = rows["units"].to_numpy(dtype=np.float64)
    known = np.flatnonzero(~np.isnan(units))
    series = series_of(rows)[known]
    weekday = rows["date"].dt.day_of_week.to_numpy()[known]
    sold = units[known]
    same = _median_before(sold, series * WEEK + weekday, SAME_WEEKDAYS, FEWEST_WEEKDAYS)
    last = _median_before(sold, series, LAST_DAYS, LAST_DAYS)
    usual = np.fmax(same, last)
    times = np.divide(sold, usual, out=np.full_like(usual, np.nan), where=usual > 0)
    high = np.full_like(times, np.nan)
    asked = np.flatnonzero(times > TIMES_USUAL)
    high[asked] = _quantile(_before(times, series, COMPARED_DAYS, asked), FEWEST_DAYS, HIGH)
    odd = (times > TIMES_USUAL) & (times > TIMES_HIGH * high)
    found = np.full_like(units, np.nan)
    found[known[odd]] = usual[odd]
    return found


def series_of(rows: pd.DataFrame) -> Whole:
    """Give rows of the same bakery and product the same number, shape (n,)."""
    products, names = pd.factorize(rows["product"])
    bakeries, _ = pd.factorize(rows["bakery"])
    found: Whole = bakeries * len(names) + products
    return found


def _median_before(values: Floats, series: Whole, days: int, fewest: int) -> Floats:
    return _quantile(_before(values, series, days, np.arange(len(values))), fewest, 0.5)


def _before(values: Floats, series: Whole, days: int, asked: Whole) -> Floats:
    """Gather the values before those asked for, of the same series: shape (asked, days)."""
    order = np.argsort(series, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    earlier = place[asked, None] - np.arange(1, days + 1)
    there = order[np.maximum(earlier, 0)]
    same = (earlier >= 0) & (series[there] == series[asked, None])
    return np.where(same, values[there], np.nan)


def _quantile(values: Floats, fewest: int, level: float) -> Floats:
    """Interpolate a quantile of each row's values; NaN where fewer are known than asked for."""
    ordered = np.sort(values, axis=1)
    count = (~np.isnan(values)).sum(axis=1)
    at = level * np.maximum(count - 1, 0)
    below = np.floor(at).astype(np.int64)
    rows = np.arange(len(values))
    low = ordered[rows, below]
    high = ordered[rows, np.minimum(below + 1, np.maximum(count - 1, 0))]
    return np.where(count >= fewest, low + (high - low) * (at - below), np.nan)
