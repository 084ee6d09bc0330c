"""Remarks on a plan: what in the sales it leaves out, or can't know, said before the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
import pandas as pd

from glean.features.definition import LEVEL_DAYS
from glean.features.named_days import YEAR_DAYS, named_days
from glean.forecasting.context import ForecastContext
from glean.forecasting.future_rows import MOST_DAYS
from glean.sales.assortment import Absence, Offer
from glean.sales.calendars import LAST_DAYS_OF_YEAR
from glean.sales.known_future import NOTHING_KNOWN, KnownFuture
from glean.sales.outlier_days import COMPARED_DAYS, usual_of_outliers
from glean.sales.quality.opening_days import WEEKDAYS

MOST_OUTLIERS = 5
"""Outlier days that are named."""

LATE_DAYS = 3
"""Days without sales up to now from which on it is said that they are missing."""

ASKED_DAYS = 60
"""Days since its last sale for which a product that was dropped is asked about."""

AROUND_DAYS = 3
"""Days around the same date last year on which a product was on offer at this time."""

TELL = "If it is on offer, say so in --coming: its name, and open = 1."

SAME_WEEKDAYS = 8
SAME_WEEKDAYS_WITHIN = 12
"""Weeks that the same weekdays are of: beyond a pause they say nothing of the day."""

HALF = 0.6
"""A last day may not be whole with a smaller share of the usual, and less than any such weekday."""


def plan_remarks(
    context: ForecastContext,
    day: pd.Timestamp,
    *,
    planned: AbstractSet[str],
    known_future: KnownFuture = NOTHING_KNOWN,
    now: pd.Timestamp | None = None,
) -> tuple[str, ...]:
    """Say what a baker should know of the sales behind a plan; empty where all is as usual.

    Parameters
    ----------
    context : ForecastContext
        The bakery's.
    day : Timestamp
        The day that is planned.
    planned : set of str
        Products that have a forecast for it.
    known_future : KnownFuture
        What the bakery knows of the days to come.
    now : Timestamp, optional
        Today by the clock; without it nothing is said of how old the sales are.
    """
    rows = context.sales.rows
    if rows.empty:
        return ()
    if (day - context.today).days > MOST_DAYS:
        dated = _reopening(context.today, day)
    else:
        dated = iter(()) if now is None else _dates(context.today, now)
    absent = [
        (offer, absence)
        for offer in context.offers
        if (absence := offer.absence(day)) and offer.product not in known_future.offered
    ]
    keys = pd.DataFrame({"date": day, "product": [offer.product for offer in context.offers]})
    told_closed = known_future.values_of(keys)["open"] == 0
    unplanned = [
        offer
        for offer, closed in zip(context.offers, told_closed, strict=True)
        if not (closed or offer.absence(day) or offer.product in planned)
    ]
    special = _special_day(rows, day, context.region)
    left_out = (*_absent(absent, rows, day), *_without_level(unplanned))
    odd = (*_last_day(rows), *_outlier_days(rows), *left_out)
    return (*special, *dated, *odd)


def _special_day(rows: pd.DataFrame, day: pd.Timestamp, region: str) -> Iterator[str]:
    """Say what the bakery sold on the same holiday of an earlier year, or the day before it."""
    totals = rows.groupby("date")["units"].sum()
    dates = pd.DatetimeIndex(totals.index)
    names = named_days(pd.DatetimeIndex([*dates, day]), region).names
    name = str(names[-1])
    then = dates[(names[:-1] == name) & (dates < day - pd.Timedelta(days=YEAR_DAYS[0]))]
    if not name:
        return
    called = "" if (day.month, day.day) in LAST_DAYS_OF_YEAR else f" ({name})"
    said = f"{_day(day)}{called} is a special day."
    usual = totals[dates < then[-1]].iloc[-LEVEL_DAYS:] if len(then) else totals.iloc[:0]
    if len(usual) < LEVEL_DAYS or usual.mean() <= 0:
        yield f"{said} The sales have none of an earlier year to go by."
    else:
        times = totals[then[-1]] / usual.mean()
        yield f"{said} In {then[-1].year} the bakery sold {times:.1f} times the usual on it."


def _absent(
    absent: Sequence[tuple[Offer, Absence]], rows: pd.DataFrame, day: pd.Timestamp
) -> Iterator[str]:
    """Name the products that aren't planned, and why."""
    off = [offer.product for offer, absence in absent if absence is Absence.WEEKDAY]
    if off:
        yield f"Not sold on {WEEKDAYS[day.day_of_week]}, so not planned: {', '.join(off)}."
    for offer, absence in absent:
        if absence is Absence.SEASON_OVER and offer.season_end is not None:
            yield (
                f"{offer.product}: left out, as its season ends on {_day(offer.season_end)} if it "
                f"is as long as the last one. {TELL}"
            )
        elif absence is Absence.DROPPED:
            yield from _dropped(offer, rows[rows["product"] == offer.product], day)


def _without_level(offers: Sequence[Offer]) -> Iterator[str]:
    """Name products that are on offer, and of which nothing says how much is usual."""
    for offer in offers:
        yield (
            f"{offer.product}: left out, as it was last sold on {_day(offer.last_sold)}, and "
            f"nothing on its last {LEVEL_DAYS} days on record. {TELL}"
        )


def _dropped(offer: Offer, rows: pd.DataFrame, day: pd.Timestamp) -> Iterator[str]:
    """Ask about a product that was sold until a short while ago, or at this time last year."""
    since_last_year = rows["date"].sub(day - pd.DateOffset(years=1)).dt.days
    then = rows.loc[since_last_year.abs() <= AROUND_DAYS, "units"]
    if (day - offer.last_sold).days <= ASKED_DAYS:
        yield (
            f"{offer.product}: left out, as it hasn't been sold since {_day(offer.last_sold)} "
            f"({offer.idle_days} open days). {TELL}"
        )
    elif then.sum() > 0:
        yield (
            f"{offer.product}: sold at this time last year, about {then[then > 0].mean():,.0f} a "
            f"day, and not yet this year, so left out. {TELL}"
        )


def _reopening(last: pd.Timestamp, day: pd.Timestamp) -> Iterator[str]:
    ahead = (day - last).days
    yield (
        f"{_day(day)} {day.year} is {ahead} days after the last sales, on {_day(last)}. It is "
        "planned as the first day after a pause, from the same season last year or else from "
        "the last days before the pause, and ranges are wider for it."
    )


def _dates(last: pd.Timestamp, now: pd.Timestamp) -> Iterator[str]:
    late = (now - last).days
    if late > LATE_DAYS:
        yield (
            f"The sales end on {_day(last)} {last.year}, {late} days ago. The plan is as good as "
            "they are: add the days since."
        )
    elif late < 0:
        yield (
            f"The sales have days to come, up to {_day(last)}: wrong dates, or a forecast? The "
            "plan takes them for sold."
        )


def _last_day(rows: pd.DataFrame) -> Iterator[str]:
    """Say that the last day may not be whole, as an export before closing time leaves it."""
    last = pd.Timestamp(rows["date"].max())
    recent = rows["date"] > last - pd.Timedelta(weeks=SAME_WEEKDAYS_WITHIN)
    same_weekday = rows[recent & (rows["date"].dt.day_of_week == last.day_of_week)]
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
