"""Remarks on a plan: what in the sales it leaves out, or can't know, said before the numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from glean.forecasting.context import ForecastContext
from glean.sales.outlier_days import COMPARED_DAYS, usual_of_outliers

MOST_OUTLIERS = 5
"""Outlier days that are named."""

LATE_DAYS = 3
"""Days without sales up to now from which on it is said that they are missing."""

SAME_WEEKDAYS = 8
HALF = 0.6
"""A last day may not be whole with a smaller share of the usual, and less than any such weekday."""


def plan_remarks(context: ForecastContext, *, now: pd.Timestamp | None = None) -> tuple[str, ...]:
    """Say what a baker should know of the sales behind a plan; empty where all is as usual.

    Parameters
    ----------
    context : ForecastContext
        The bakery's.
    now : Timestamp, optional
        Today by the clock; without it nothing is said of how old the sales are.
    """
    rows = context.sales.rows
    if rows.empty:
        return ()
    dated = [] if now is None else _dates(context.today, now)
    return (*dated, *_last_day(rows), *_outlier_days(rows))


def _dates(last: pd.Timestamp, now: pd.Timestamp) -> Iterator[str]:
    late = (now - last).days
    if late > LATE_DAYS:
        yield (
            f"The sales end on {_day(last)}, {late} days ago. The plan is as good as they are: add "
            "the days since."
        )
    elif late < 0:
        yield (
            f"The sales have days to come, up to {_day(last)}: wrong dates, or a forecast? The "
            "plan takes them for sold."
        )


def _last_day(rows: pd.DataFrame) -> Iterator[str]:
    """Say that the last day may not be whole, as an export before closing time leaves it."""
    last = pd.Timestamp(rows["date"].max())
    same_weekday = rows[rows["date"].dt.day_of_week == last.day_of_week]
    same = same_weekday.groupby("date")["units"].sum().iloc[-SAME_WEEKDAYS - 1 :]
    sold, before = float(same.iloc[-1]), same.iloc[:-1]
    if len(before) == SAME_WEEKDAYS and sold < min(before.min(), HALF * before.median()):
        yield (
            f"{_day(last)} has {sold / before.median():.0%} of a usual {last:%A}: was the day over "
            "when the sales were exported? The plan takes it for whole."
        )


def _outlier_days(rows: pd.DataFrame) -> Iterator[str]:
    usual = usual_of_outliers(rows)
    recent = rows["date"] > rows["date"].max() - pd.Timedelta(days=COMPARED_DAYS)
    found = rows.assign(usual=usual)[recent & ~np.isnan(usual)]
    found = found.assign(beyond=found["units"] - found["usual"]).nlargest(MOST_OUTLIERS, "beyond")
    for row in found.itertuples():
        yield (
            f"{_day(row.date)}: {row.units:,.0f} of {row.product}, where about {row.usual:,.0f} "
            "are usual. Taken for a single order, and left out."
        )


def _day(date: pd.Timestamp) -> str:
    return f"{date:%A} {date.day} {date:%B}"
