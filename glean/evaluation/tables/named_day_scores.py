"""How far forecasts were off on the days of the test window that have a name."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from glean.evaluation.tables.summary import METHOD_ORDER
from glean.features.named_days import named_days
from glean.metrics import ErrorSums


@dataclass(frozen=True)
class NamedDayScore:
    """One named day, or all other days together.

    Parameters
    ----------
    name : str
        Name of the day; "" for all other days.
    dates : tuple of Timestamp
        Its dates in the window, in their order.
    units : float
        Sold then.
    wapes : dict of str to float
        WAPE by method, a share of these units; NaN where nothing was sold.
    """

    name: str
    dates: tuple[pd.Timestamp, ...]
    units: float
    wapes: dict[str, float]


def named_day_scores(days: pd.DataFrame, region: str) -> list[NamedDayScore]:
    """Score methods by named day.

    Parameters
    ----------
    days : DataFrame
        `days.csv` of a run, `date` as datetime: a row a bakery, product and day.
    region : str
        Region of the public holidays; "" names the last days of the year only.

    Returns
    -------
    list of NamedDayScore
        In the order of their first dates, the other days last; empty where no day has a name.
    """
    methods = [method for method in METHOD_ORDER if method in days]
    names = named_days(pd.DatetimeIndex(days["date"]), region).names
    if not names.any():
        return []
    found = [_scored(str(name), rows, methods) for name, rows in days.groupby(names, sort=False)]
    return sorted(found, key=lambda day: (not day.name, day.dates[0]))


def _scored(name: str, rows: pd.DataFrame, methods: list[str]) -> NamedDayScore:
    units = rows["units"].to_numpy(dtype=float)
    return NamedDayScore(
        name=name,
        dates=tuple(pd.DatetimeIndex(rows["date"].unique()).sort_values()),
        units=float(units.sum()),
        wapes={m: ErrorSums.of(units, rows[m].to_numpy(dtype=float)).wape for m in methods},
    )
