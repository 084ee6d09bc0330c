"""Where a bakery's forecast is weak: by product, the most units lost first, and by weekday."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from glean.metrics import wape

MOST_SHOWN = 10
"""Products that are named; what comes after them is worth less than the time to read of it."""

_A_MONDAY = dt.date(2024, 1, 1)


@dataclass(frozen=True)
class WeakSpot:
    """How far off the forecasts of a product or a weekday were.

    Parameters
    ----------
    name : str or date
        The product; of a weekday, one such day.
    lost : float
        Units by which they were off on all test days together, too much or too little.
    wape : float or None
        The same as a share of what was sold; None where nothing was.
    bias : float or None
        What was forecast too much, a share of what was sold; below zero it was too little.
    """

    name: str | dt.date
    lost: float
    wape: float | None
    bias: float | None


def weak_products(days: pd.DataFrame, most: int = MOST_SHOWN) -> list[WeakSpot]:
    """Find the products whose forecasts were off by the most units, that by the most first.

    Parameters
    ----------
    days : DataFrame
        Rows of `days.csv` of one bakery.
    most : int
        How many at most.
    """
    found = [_spot(str(name), rows) for name, rows in days.groupby("product")]
    return sorted(found, key=lambda spot: (-spot.lost, str(spot.name)))[:most]


def weekdays(days: pd.DataFrame) -> list[WeakSpot]:
    """Say the same of each weekday on which something was sold, from Monday on."""
    by_day = days.groupby(days["date"].dt.day_of_week)
    return [_spot(_A_MONDAY + dt.timedelta(days=int(str(day))), rows) for day, rows in by_day]


def _spot(name: str | dt.date, rows: pd.DataFrame) -> WeakSpot:
    units = float(rows["units"].sum())
    return WeakSpot(
        name,
        lost=float((rows["chosen"] - rows["units"]).abs().sum()),
        wape=wape(rows["units"], rows["chosen"]) if units > 0 else None,
        bias=float((rows["chosen"] - rows["units"]).sum()) / units if units > 0 else None,
    )


def better_habit(days: pd.DataFrame, habits: tuple[str, ...]) -> str:
    """Say which of the habits was off by the fewest units: the one that is hardest to beat."""
    return min(habits, key=lambda habit: np.abs(days[habit] - days["units"]).sum())
