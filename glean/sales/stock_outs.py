"""Days that sold out: what was sold is a lower bound of what was asked for.

In comes a table with `sold_out_at`; out comes the same with an estimate of demand in place of the
units of such days. Demand of a day is taken for normal around the mean of the product's last same
weekdays, and the estimate is its mean given that it exceeded what was sold (the tobit model's,
Tobin, Econometrica 1958). Only earlier days are looked at, so that no feature sees a later one; of
them outlier days don't count.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.sales.outlier_days import series_of, usual_of_outliers
from glean.sales.table import SalesTable

Floats = NDArray[np.float64]

WEEKS = 8
"""Same weekdays that say what is usual."""

FEWEST_WEEKS = 3
"""With fewer of them a sold-out day stays as it was sold."""

RECENT_DAYS = 300
"""A product's last days that say how far a day is from the usual: about a year of opening."""

UNKNOWN_DEVIATION = 0.25
"""The same, as a share of the usual, before `FEWEST_WEEKS` days have said it."""

FARTHEST = 3.0
"""Standard deviations above the usual beyond which a day was an event and its sales are kept plus
what is usual beyond that: the normal tail says nothing there."""


def sold_out(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows sold out before closing, shape (rows,)."""
    if "sold_out_at" not in rows:
        return np.zeros(len(rows), dtype=bool)
    return np.asarray(rows["sold_out_at"].fillna("").ne(""))


def with_demand(table: SalesTable) -> SalesTable:
    """Put an estimate of demand in place of the units of sold-out days.

    Parameters
    ----------
    table : SalesTable
        Of any number of bakeries; without `sold_out_at` it comes back as it is.
    """
    rows = table.rows
    censored = sold_out(rows)
    if not censored.any():
        return table
    units = rows["units"].to_numpy(dtype=np.float64).copy()
    weekday = rows["date"].dt.day_of_week.to_numpy()
    counting = np.isnan(usual_of_outliers(rows))
    series = series_of(rows)
    order = np.argsort(series, kind="stable")
    for places in np.split(order, np.flatnonzero(np.diff(series[order])) + 1):
        if censored[places].any():
            units[places] = _filled(
                units[places], censored[places], counting[places], weekday[places]
            )
    return SalesTable(rows.assign(units=units))


def _filled(
    units: Floats,
    censored: NDArray[np.bool_],
    counting: NDArray[np.bool_],
    weekday: NDArray[np.int_],
) -> list[float]:
    """Go through a product's days in order; each sees the estimates of those before that count."""
    filled: list[float] = units.tolist()
    past: list[deque[float]] = [deque(maxlen=WEEKS) for _ in range(7)]
    squares: deque[float] = deque(maxlen=RECENT_DAYS)
    known = np.flatnonzero(np.isfinite(units))
    # Lists, as a loop takes long to look at arrays.
    columns = (of[known].tolist() for of in (weekday, censored, counting))
    for day, of_week, short, counts in zip(known.tolist(), *columns, strict=True):
        demand, same = filled[day], past[of_week]
        if len(same) >= FEWEST_WEEKS:
            usual = sum(same) / len(same)
            if short:
                demand = filled[day] = _mean_above(demand, usual, usual * _deviation(squares))
            if usual > 0 and counts:
                squares.append(((demand - usual) / usual) ** 2)
        if counts:
            same.append(demand)
    return filled


def _deviation(squares: deque[float]) -> float:
    """Give the standard deviation of a day around the usual, as a share of it."""
    if len(squares) < FEWEST_WEEKS:
        return UNKNOWN_DEVIATION
    return math.sqrt(sum(squares) / len(squares))


def _mean_above(sold: float, usual: float, spread: float) -> float:
    """Mean of a normal variable given that it is above what was sold."""
    if spread <= 0:
        return sold
    distance = min((sold - usual) / spread, FARTHEST)
    density = math.exp(-distance * distance / 2) / math.sqrt(2 * math.pi)
    beyond = 0.5 * math.erfc(distance / math.sqrt(2))
    return sold + spread * (density / beyond - distance)
