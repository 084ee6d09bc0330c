"""Odd days: days on which all products of a bakery are far off the usual, and why that may be."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.sales.calendars import LAST_DAYS_OF_YEAR
from glean.sales.quality.opening_days import GAP_DAYS, Days, days_of
from glean.sales.quality.outliers import usual_units

FEWEST_PRODUCTS = 3
"""So many products that are off at once say that the day is odd. Of fewer each has to be an outlier
by itself, on an ordinary day; and a single one tells only several days in one, or part of a day,
from its other outliers."""

MOST_OF_ALL = 0.8
"""All products are off if this share of them is off to the same side."""

TIMES_HIGH, TIMES_LOW = 1.6, 0.6
"""A product is off with more, or less, than so many times the usual; and so is the day's sum."""

SHARE_OF_SEVERAL, TIMES_OF_SEVERAL = 0.75, 1.5
"""Of several days in one, from so much to so much of the usual of all of them was sold: ten times
the usual after a single closed day is an event."""

FAR_APART = 10**7
"""More days than any calendar has, so that bakery and day make one number."""


@dataclass(frozen=True)
class OddDay:
    """A day on which all products of a bakery are far off.

    Parameters
    ----------
    date : date
        The day.
    units, usual : float
        What was sold of the products that are compared, and what is usual on such a weekday.
    products : int
        Products that are compared: what is usual of them is known, and isn't nothing.
    missing_before : int
        Days on end before it on which the bakery is usually open and sold nothing.
    is_last : bool
        Whether the bakery's rows end with it.
    comes_again : bool
        Whether it is a holiday by the table, 24 or 31 December, or the day before or after one.
    """

    date: dt.date
    units: float
    usual: float
    products: int
    missing_before: int
    is_last: bool
    comes_again: bool

    @property
    def times_usual(self) -> float:
        """How many times the usual was sold."""
        return self.units / self.usual

    @property
    def is_several_in_one(self) -> bool:
        """Whether it may hold the sales of the days without any before it."""
        days = 1 + self.missing_before
        times = self.times_usual / days
        return self.missing_before > 0 and SHARE_OF_SEVERAL <= times <= TIMES_OF_SEVERAL

    @property
    def is_part(self) -> bool:
        """Whether it may be the part of a day that was over when the sales were exported."""
        return self.is_last and self.times_usual < 1 and not self.comes_again


def odd_days(
    rows: pd.DataFrame, weekdays_off: Mapping[str, frozenset[int]]
) -> dict[str, tuple[OddDay, ...]]:
    """Find the days of each bakery on which all products are far off the usual.

    All products are off when four of five sold more than 1.6 times (or less than 0.6 times) the
    usual, their sum too, and the bakery's sum is an outlier among its sums (`usual_units`). At a
    bakery of one or two products each has to be an outlier, and the day none that comes again.

    Parameters
    ----------
    rows : DataFrame
        n rows with `date`, `bakery`, `product`, `units`, `usual` and `outlier` (as by
        `usual_units`), and `holiday` where the table has it.
    weekdays_off : mapping of str to frozenset of int
        Bakery -> weekdays on which it is closed; Monday is 0.

    Returns
    -------
    dict of str to tuple of OddDay
        Bakery -> its odd days in order; bakeries without one aren't there.
    """
    times = rows["units"] / rows["usual"].where(rows["usual"] > 0)
    flags = {"holiday": rows["holiday"]} if "holiday" in rows else {}
    compared = rows.assign(
        usual=rows["usual"].where(times.notna()),
        like=rows["units"].where(times.notna()),
        compared=times.notna(),
        high=times > TIMES_HIGH,
        low=times < TIMES_LOW,
        outlier=rows["outlier"] & times.notna(),
        **flags,
    )
    names = ["units", "like", "usual", "compared", "high", "low", "outlier", *flags]
    days = compared.groupby(["bakery", "date"], observed=True)[names].sum().reset_index()
    if flags:
        days["holiday"] = days["holiday"] > 0
    _, is_outlier = usual_units(days.assign(product=""))
    most = MOST_OF_ALL * days["compared"]
    ratio = days["like"] / days["usual"].where(days["usual"] > 0)
    off = ((days["high"] >= most) & (ratio > TIMES_HIGH)) | (
        (days["low"] >= most) & (ratio < TIMES_LOW)
    )
    days = days.assign(again=comes_again(days))
    few = days["bakery"].isin(_of_few_products(compared[compared["compared"]]))
    plain = (days["compared"] > 0) & (days["outlier"] == days["compared"]) & ~days["again"]
    found = off & is_outlier & np.where(few, plain, days["compared"] >= FEWEST_PRODUCTS)
    days = days.assign(odd=found)
    by_bakery = {
        str(bakery): _odd_days_of(days[days["bakery"] == bakery], weekdays_off[bakery])
        for bakery in days.loc[found, "bakery"].unique()
    }
    return {bakery: odd for bakery, odd in by_bakery.items() if odd}


def _of_few_products(compared: pd.DataFrame) -> pd.Index[str]:
    """Bakeries with fewer products than tell an odd day together."""
    products = compared.groupby("bakery", observed=True)["product"].nunique()
    return products.index[products < FEWEST_PRODUCTS]


def comes_again(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Mark a bakery's holidays by the table, 24 and 31 December, and the days beside them.

    Parameters
    ----------
    rows : DataFrame
        n rows with `date` and `bakery`, and `holiday` where the table has it.
    """
    days = rows["date"].to_numpy().astype("datetime64[D]")
    keys = pd.factorize(rows["bakery"])[0] * FAR_APART + days.astype(np.int64)
    holidays = keys[(rows["holiday"] > 0).to_numpy()] if "holiday" in rows else keys[:0]
    found = np.zeros(len(rows), dtype=bool)
    for beside in (-1, 0, 1):
        found |= np.isin(keys + beside, holidays)
        moved = pd.DatetimeIndex(days + np.timedelta64(beside, "D"))
        for month, day in LAST_DAYS_OF_YEAR:
            found |= np.asarray((moved.month == month) & (moved.day == day))
    return found


def _odd_days_of(days: pd.DataFrame, off: frozenset[int]) -> tuple[OddDay, ...]:
    sold = days_of(days.loc[days["units"] > 0, "date"])
    found = [
        OddDay(
            date=day["date"].date(),
            units=float(day["like"]),
            usual=float(day["usual"]),
            products=int(day["compared"]),
            missing_before=_missing_before(day["date"].to_datetime64(), sold, off),
            is_last=day["date"] == days["date"].max(),
            comes_again=bool(day["again"]),
        )
        for day in days[days["odd"]].to_dict("records")
    ]
    return tuple(day for day in found if day.products > 1 or day.is_several_in_one or day.is_part)


def _missing_before(day: np.datetime64, sold: Days, off: frozenset[int]) -> int:
    """Count the days on end without a sale before a day, weekdays off aside; 0 after a gap."""
    earlier = sold[sold < day]
    if not len(earlier):
        return 0
    between = pd.date_range(earlier[-1] + 1, day.astype("datetime64[D]") - 1)
    missing = int((~np.isin(between.day_of_week, sorted(off))).sum())
    return missing if missing < GAP_DAYS else 0
