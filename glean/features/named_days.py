"""Days with a name: holidays, the days before them, and the last days of the year.

The same day of another year is found by its name, as Easter and its Saturday move. What a product
sold then, against what was usual at the time, says what it will sell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.features.history import keys_of
from glean.sales.calendars import LAST_DAYS_OF_YEAR, holiday_names

Floats = NDArray[np.float64]
Days = NDArray[np.int64]
Names = NDArray[np.object_]

YEAR_DAYS = (300, 800)
"""Days back to the same day of an earlier year: Easter moves by five weeks, and a bakery that was
closed on that day a year ago may have been open two years ago."""

LEAST_RATIO, MOST_RATIO = 0.1, 10.0

POOLED_UNITS = 20.0
"""Usual units a day of which a product's own ratio counts as much as that of all products."""


@dataclass(frozen=True)
class Kind:
    """How a kind of named day is forecast from the same day of an earlier year.

    The powers were chosen on chain's named days before July 2019 (of 0.25 to 1 and of 0 to 1), and
    so was the kind of 24 December: on these three shops it isn't the same on every weekday.

    Parameters
    ----------
    comes_back : float
        Power of what was special that comes back.
    model_share : float
        Power of what a model says beyond that: on so few days it learns hardly more than chance.
    """

    comes_back: float
    model_share: float


HOLIDAY, BEFORE, NO_NAME = Kind(1.0, 0.0), Kind(0.75, 0.5), Kind(1.0, 1.0)

LAST_DAY_KINDS = dict(zip(LAST_DAYS_OF_YEAR, (BEFORE, HOLIDAY), strict=True))
"""Kinds of 24 and of 31 December."""


@dataclass(frozen=True)
class NamedDays:
    """Names of n rows' days.

    Parameters
    ----------
    names : array of str, shape (n,)
        A holiday's name, "24 December", "31 December", "before X", or "". Of several the first.
    comes_back, model_share : arrays of shape (n,)
        Of each day's kind.
    """

    names: Names
    comes_back: Floats
    model_share: Floats


def named_days(dates: pd.DatetimeIndex, region: str) -> NamedDays:
    """Name days.

    Parameters
    ----------
    dates : DatetimeIndex of length n
        Days.
    region : str
        Region of the public holidays; "" names the last days of the year only.
    """
    reach = pd.Timedelta(days=1)
    holidays = holiday_names(region, dates.min() - reach, dates.max() + reach) if region else {}
    years = range(dates.min().year, dates.max().year + 1)
    # Few days have a name, and pandas takes long for each that is asked about.
    special = {pd.Timestamp(year, *date) for year in years for date in LAST_DAYS_OF_YEAR}
    special |= {day for holiday in holidays for day in (holiday, holiday - reach)}
    place = pd.DatetimeIndex([pd.NaT, *sorted(special)]).get_indexer(dates)
    found = [("", NO_NAME), *(_named(day, holidays) for day in sorted(special))]
    names = np.array([name for name, _ in found], dtype=object)
    powers = np.array([(kind.comes_back, kind.model_share) for _, kind in found])
    place = np.maximum(place, 0)
    return NamedDays(names[place], *powers[place].T)


def _named(day: pd.Timestamp, holidays: Mapping[pd.Timestamp, str]) -> tuple[str, Kind]:
    if day in holidays:
        return holidays[day], HOLIDAY
    if (date := (day.month, day.day)) in LAST_DAYS_OF_YEAR:
        return LAST_DAYS_OF_YEAR[date], LAST_DAY_KINDS[date]
    eve = holidays.get(day + pd.Timedelta(days=1))
    return (f"before {eve}", BEFORE) if eve else ("", NO_NAME)


def special_ratio(
    named: NamedDays, series: Days, days: Days, units: Floats, *, mean: Floats, level: Floats
) -> Floats:
    """Say how much more or less than usual comes back from the same day of an earlier year.

    Holidays and 31 December go by the mean of all weekdays, whatever weekday they fall on; other
    days by what was usual on theirs.

    Parameters
    ----------
    named : NamedDays
        Names of the rows' days.
    series, days : int arrays of shape (n,)
        Product and day of each row, by number.
    units : array of shape (n,)
        Units sold; NaN where not known.
    mean, level : arrays of shape (n,)
        Units that were usual on all weekdays, and on such a weekday.

    Returns
    -------
    array of shape (n,)
        Factor on `level`; NaN where the day has no name, or none of `YEAR_DAYS` was known.
    """
    of_mean, of_level = (
        _last(named.names, series, days, _pooled(days, units, usual)) for usual in (mean, level)
    )
    whole = named.comes_back == HOLIDAY.comes_back
    found: Floats = np.where(whole, of_mean * mean / level, of_level**named.comes_back)
    return found


def _pooled(days: Days, units: Floats, usual: Floats) -> Floats:
    """Units over the usual ones, of few units drawn to what all products of the day sold."""
    known = np.isfinite(units / usual)
    place = np.unique(days, return_inverse=True)[1]
    sold, expected = (
        np.bincount(place[known], of[known], place.max() + 1) for of in (units, usual)
    )
    of_all = np.clip(sold / np.where(expected > 0, expected, np.nan), LEAST_RATIO, MOST_RATIO)
    own = np.clip(units / usual, LEAST_RATIO, MOST_RATIO)
    share = usual / (usual + POOLED_UNITS)
    found: Floats = own**share * of_all[place] ** (1 - share)
    return found


def _last(names: Names, series: Days, days: Days, relative: Floats) -> Floats:
    """Find what each row's product had on its last day of the same name, a year ago or two."""
    found = np.full(len(days), np.nan)
    numbers = pd.factorize(names)[0].astype(np.int64)
    groups = series * (int(numbers.max(initial=0)) + 1) + numbers
    known = np.flatnonzero((names != "") & np.isfinite(relative))
    asked = np.flatnonzero(names != "")
    if not len(known):
        return found
    keys = keys_of(groups[known], days[known])
    order = np.argsort(keys, kind="stable")
    least, most = YEAR_DAYS
    upto = keys_of(groups[asked], days[asked] - least)
    place = np.searchsorted(keys[order], upto, side="right") - 1
    last = known[order][np.maximum(place, 0)]
    same = (place >= 0) & (groups[last] == groups[asked]) & (days[last] >= days[asked] - most)
    found[asked[same]] = relative[last[same]]
    return found
