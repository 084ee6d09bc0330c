"""What a bakery's page was told of the days to come, as the forecast takes it.

What doesn't fit, a product that isn't sold any more or a day too far ahead, is left out rather than
refused: a plan is made every morning.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from glean.outgoing.weather import DayWeather
from glean.sales.known_future import ALL_PRODUCTS, KnownFuture
from glean.sales.school_holidays import school_holidays
from glean.sales.told_day import ToldDay

_INPUTS = ("open", "promotion", "school_holiday")


def known_future_of(
    told: Iterable[ToldDay],
    weather: Mapping[dt.date, DayWeather],
    *,
    days: pd.DatetimeIndex,
    products: Iterable[str],
    also: KnownFuture,
) -> KnownFuture:
    """Put together what is known of the days to come.

    Parameters
    ----------
    told : iterable of ToldDay
        By people; of two that are about the same, the later one counts.
    weather : mapping of date to DayWeather
        The forecast of it.
    days : DatetimeIndex
        Days that can be forecast.
    products : iterable of str
        Products that are sold.
    also : KnownFuture
        What a file says besides; what people told counts before it.
    """
    known = {*products, ALL_PRODUCTS}
    rows = [
        {"date": pd.Timestamp(one.day), "product": one.product}
        | {name: _number(getattr(one, name)) for name in _INPUTS}
        for one in told
        if one.product in known
    ]
    rows += [
        {"date": pd.Timestamp(day), "product": ALL_PRODUCTS, **vars(said)}
        for day, said in weather.items()
    ]
    rows = [row for row in rows if row["date"] in days]
    if not rows:
        return also
    frames = [pd.DataFrame(rows)[::-1], also.rows]
    whole = pd.concat([frame for frame in frames if len(frame)], ignore_index=True)
    # Of each column the first that is told: what people said last, then the weather, then the file.
    found = whole.groupby(["date", "product"], sort=True, as_index=False).first()
    empty = {name: np.nan for name in ("open",) if name not in found}
    return KnownFuture(found.assign(**empty))


def school_days(region: str, days: pd.DatetimeIndex) -> list[ToldDay]:
    """Say of days whether they are school holidays of a region; nothing without a region."""
    if not region:
        return []
    known = school_holidays(region, days[0], days[-1])
    return [ToldDay(day.date(), school_holiday=float(day in known)) for day in days]


def _number(value: float | None) -> float:
    return np.nan if value is None else value
