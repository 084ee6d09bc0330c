"""What is special about a day, in one line, and how it compares with a usual day of its kind."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from glean.features.named_days import named_days
from glean.forecasting.drivers import WORTH_NAMING
from glean.forecasting.recursive_forecast import ForecastRow
from glean.languages.catalogues import translatable
from glean.languages.language import Language
from glean.sales.calendars import holiday_name

COMPARED_WEEKS = 8
"""The last same weekdays that make up a usual one."""

ALIKE = 0.05
"""A day that differs by less is as usual."""

_TOLD = ("holiday", "closing", "promotion", "price", "weather", "season")
"""Groups of reasons that are worth a headline; a weekday is in the comparison already."""

_OF_A_DATE = {
    (12, 23): translatable("day before Christmas Eve"),
    (12, 24): translatable("Christmas Eve"),
    (12, 30): translatable("day before New Year's Eve"),
    (12, 31): translatable("New Year's Eve"),
}
"""Days that no calendar of public holidays has."""


def day_headline(
    day: pd.Timestamp,
    rows: Iterable[ForecastRow],
    *,
    usual: float,
    region: str,
    language: Language,
) -> str:
    """Write it.

    Parameters
    ----------
    day : Timestamp
        The day.
    rows : iterable of ForecastRow
        Its forecast, of the products that are baked.
    usual : float
        Units of these on a usual such weekday, from `usual_units`; NaN where that isn't known.
    region : str
        Of the public holidays; "" where none are known.
    language : Language
        Of the line.
    """
    rows = list(rows)
    compared = _compared(sum(row.units for row in rows), usual, day, language)
    special = day_name(day, region, language) or _strongest(rows, language)
    if special and compared:
        return language.translate("{reason}: {compared}", reason=special, compared=compared)
    return special or compared


def day_name(day: pd.Timestamp, region: str, language: Language) -> str:
    """Name a holiday, the day before one, or a day at the end of the year; "" for all others."""
    if words := _OF_A_DATE.get((day.month, day.day)):
        return language.translate(words)
    if not region:
        return ""
    if name := holiday_name(region, day, language.code):
        return name
    eve = holiday_name(region, day + pd.Timedelta(days=1), language.code)
    return language.translate("day before {holiday}", holiday=eve) if eve else ""


def usual_units(rows: pd.DataFrame, day: pd.Timestamp, *, region: str) -> float:
    """Give the mean units of the last same weekdays, without holidays; NaN where there are none.

    Parameters
    ----------
    rows : DataFrame
        Sales of the products that are compared: `date` and `units`.
    """
    totals = rows[rows["date"].dt.day_of_week == day.day_of_week].groupby("date")["units"].sum()
    dates = pd.DatetimeIndex(totals.index)
    plain = totals[named_days(dates, region).names == ""]
    return float(plain.iloc[-COMPARED_WEEKS:].mean()) if len(plain) else float("nan")


def _compared(units: float, usual: float, day: pd.Timestamp, language: Language) -> str:
    if not usual > 0:
        return ""
    ratio, weekday = units / usual, language.weekday(day)
    if abs(ratio - 1) < ALIKE:
        words = translatable("as on a usual {weekday}")
    elif abs(ratio - 2) < 2 * ALIKE:
        words = translatable("twice a usual {weekday}")
    elif ratio > 2:
        words = translatable("{times} times a usual {weekday}")
    elif ratio > 1:
        words = translatable("{share} more than on a usual {weekday}")
    else:
        words = translatable("{share} less than on a usual {weekday}")
    times, share = language.number(ratio, 1), language.percent(abs(ratio - 1), 0)
    return language.translate(words, weekday=weekday, times=times, share=share)


def _strongest(rows: Iterable[ForecastRow], language: Language) -> str:
    """Name the reason that moves most units over all products, if it moves enough to be named."""
    moved: dict[tuple[str, int], float] = {}
    total = 0.0
    for row in rows:
        total += row.units
        for driver in row.drivers:
            if driver.group in _TOLD:
                key = driver.words, driver.value
                moved[key] = moved.get(key, 0.0) + driver.effect * row.units
    if not moved or total <= 0:
        return ""
    (words, value), units = max(moved.items(), key=lambda item: abs(item[1]))
    named = abs(units) >= WORTH_NAMING * total
    return language.translate(words, value=value) if named else ""
