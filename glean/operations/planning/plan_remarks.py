"""Remarks on a plan: what in the sales it leaves out, or can't know, said before the numbers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
import pandas as pd

from glean.features.definition import LEVEL_DAYS
from glean.features.named_days import YEAR_DAYS, named_days
from glean.forecasting.context import ForecastContext
from glean.forecasting.future_rows import MOST_DAYS
from glean.languages.catalogues import translatable
from glean.languages.language import Language
from glean.sales.assortment import Absence, Offer
from glean.sales.calendars import LAST_DAYS_OF_YEAR, holiday_name
from glean.sales.known_future import NOTHING_KNOWN, KnownFuture
from glean.sales.outlier_days import COMPARED_DAYS, usual_of_outliers

MOST_OUTLIERS = 5
"""Outlier days that are named."""

LATE_DAYS = 3
"""Days without sales up to now from which on it is said that they are missing."""

ASKED_DAYS = 60
"""Days since its last sale for which a product that was dropped is asked about."""

AROUND_DAYS = 3
"""Days around the same date last year on which a product was on offer at this time."""

TELL = translatable("If it is on offer, say so in --coming: its name, and open = 1.")

OFF_OFFER = (
    translatable("Not sold on Mondays, so not planned: {products}."),
    translatable("Not sold on Tuesdays, so not planned: {products}."),
    translatable("Not sold on Wednesdays, so not planned: {products}."),
    translatable("Not sold on Thursdays, so not planned: {products}."),
    translatable("Not sold on Fridays, so not planned: {products}."),
    translatable("Not sold on Saturdays, so not planned: {products}."),
    translatable("Not sold on Sundays, so not planned: {products}."),
)
"""By weekday, Monday first."""

SAME_WEEKDAYS = 8
SAME_WEEKDAYS_WITHIN = 12
"""Weeks that the same weekdays are of: beyond a pause they say nothing of the day."""

HALF = 0.6
"""A last day may not be whole with a smaller share of the usual, and less than any such weekday."""


def plan_remarks(
    context: ForecastContext,
    day: pd.Timestamp,
    language: Language,
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
    language : Language
        Of the remarks.
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
        dated = _reopening(context.today, day, language)
    else:
        dated = iter(()) if now is None else _dates(context.today, now, language)
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
    special = _special_day(rows, day, context.region, language)
    left_out = (*_absent(absent, rows, day, language), *_without_level(unplanned, language))
    odd = (*_last_day(rows, language), *_outlier_days(rows, language), *left_out)
    return (*special, *dated, *odd)


def _special_day(
    rows: pd.DataFrame, day: pd.Timestamp, region: str, language: Language
) -> Iterator[str]:
    """Say what the bakery sold on the same holiday of an earlier year, or the day before it."""
    totals = rows.groupby("date")["units"].sum()
    dates = pd.DatetimeIndex(totals.index)
    names = named_days(pd.DatetimeIndex([*dates, day]), region).names
    name = str(names[-1])
    then = dates[(names[:-1] == name) & (dates < day - pd.Timedelta(days=YEAR_DAYS[0]))]
    if not name:
        return
    said = language.translate("{day} is a special day.", day=_called(day, region, language))
    usual = totals[dates < then[-1]].iloc[-LEVEL_DAYS:] if len(then) else totals.iloc[:0]
    if len(usual) < LEVEL_DAYS or usual.mean() <= 0:
        sold = language.translate("The sales have none of an earlier year to go by.")
    else:
        sold = language.translate(
            "In {year} the bakery sold {times} times the usual on it.",
            year=then[-1].year,
            times=language.number(totals[then[-1]] / usual.mean(), 1),
        )
    yield f"{said} {sold}"


def _called(day: pd.Timestamp, region: str, language: Language) -> str:
    """Name a special day by its date and its holiday, or the holiday that it is the eve of."""
    if (day.month, day.day) in LAST_DAYS_OF_YEAR:
        return _day(day, language)
    name = holiday_name(region, day, language.code)
    if not name:
        eve = holiday_name(region, day + pd.Timedelta(days=1), language.code)
        name = language.translate("before {holiday}", holiday=eve)
    return f"{_day(day, language)} ({name})"


def _absent(
    absent: Sequence[tuple[Offer, Absence]],
    rows: pd.DataFrame,
    day: pd.Timestamp,
    language: Language,
) -> Iterator[str]:
    """Name the products that aren't planned, and why."""
    off = [offer.product for offer, absence in absent if absence is Absence.WEEKDAY]
    if off:
        yield language.translate(OFF_OFFER[day.day_of_week], products=", ".join(off))
    for offer, absence in absent:
        if absence is Absence.SEASON_OVER and offer.season_end is not None:
            said = language.translate(
                "{product}: left out, as its season ends on {day} if it is as long as the last "
                "one.",
                product=offer.product,
                day=_day(offer.season_end, language),
            )
            yield f"{said} {language.translate(TELL)}"
        elif absence is Absence.DROPPED:
            yield from _dropped(offer, rows[rows["product"] == offer.product], day, language)


def _without_level(offers: Sequence[Offer], language: Language) -> Iterator[str]:
    """Name products that are on offer, and of which nothing says how much is usual."""
    for offer in offers:
        said = language.translate(
            "{product}: left out, as it was last sold on {day}, and nothing on its last {days} "
            "days on record.",
            product=offer.product,
            day=_day(offer.last_sold, language),
            days=LEVEL_DAYS,
        )
        yield f"{said} {language.translate(TELL)}"


def _dropped(
    offer: Offer, rows: pd.DataFrame, day: pd.Timestamp, language: Language
) -> Iterator[str]:
    """Ask about a product that was sold until a short while ago, or at this time last year."""
    since_last_year = rows["date"].sub(day - pd.DateOffset(years=1)).dt.days
    then = rows.loc[since_last_year.abs() <= AROUND_DAYS, "units"]
    if (day - offer.last_sold).days <= ASKED_DAYS:
        said = language.translate_count(
            "{product}: left out, as it hasn't been sold since {day} ({count} open day).",
            "{product}: left out, as it hasn't been sold since {day} ({count} open days).",
            offer.idle_days,
            product=offer.product,
            day=_day(offer.last_sold, language),
        )
        yield f"{said} {language.translate(TELL)}"
    elif then.sum() > 0:
        said = language.translate(
            "{product}: sold at this time last year, about {units} a day, and not yet this year, "
            "so left out.",
            product=offer.product,
            units=language.number(then[then > 0].mean()),
        )
        yield f"{said} {language.translate(TELL)}"


def _reopening(last: pd.Timestamp, day: pd.Timestamp, language: Language) -> Iterator[str]:
    yield language.translate(
        "{day} is {days} days after the last sales, on {last}. It is planned as the first day "
        "after a pause, from the same season last year or else from the last days before the "
        "pause, and ranges are wider for it.",
        day=language.long_day(day),
        days=(day - last).days,
        last=_day(last, language),
    )


def _dates(last: pd.Timestamp, now: pd.Timestamp, language: Language) -> Iterator[str]:
    late = (now - last).days
    if late > LATE_DAYS:
        yield language.translate(
            "The sales end on {day}, {days} days ago. The plan is as good as they are: add the "
            "days since.",
            day=language.long_day(last),
            days=language.number(late),
        )
    elif late < 0:
        yield language.translate(
            "The sales have days to come, up to {day}: wrong dates, or a forecast? The plan takes "
            "them for sold.",
            day=_day(last, language),
        )


def _last_day(rows: pd.DataFrame, language: Language) -> Iterator[str]:
    """Say that the last day may not be whole, as an export before closing time leaves it."""
    last = pd.Timestamp(rows["date"].max())
    recent = rows["date"] > last - pd.Timedelta(weeks=SAME_WEEKDAYS_WITHIN)
    same_weekday = rows[recent & (rows["date"].dt.day_of_week == last.day_of_week)]
    same = same_weekday.groupby("date")["units"].sum().iloc[-SAME_WEEKDAYS - 1 :]
    sold, before = float(same.iloc[-1]), same.iloc[:-1]
    if len(before) == SAME_WEEKDAYS and sold < min(before.min(), HALF * before.median()):
        yield language.translate(
            "{day} has {share} of a usual {weekday}: was the day over when the sales were "
            "exported? The plan takes it for whole.",
            day=_day(last, language),
            share=language.percent(sold / before.median(), 0),
            weekday=language.weekday(last),
        )


def _outlier_days(rows: pd.DataFrame, language: Language) -> Iterator[str]:
    usual = usual_of_outliers(rows)
    recent = rows["date"] > rows["date"].max() - pd.Timedelta(days=COMPARED_DAYS)
    found = rows.assign(usual=usual)[recent & ~np.isnan(usual)]
    found = found.assign(beyond=found["units"] - found["usual"]).nlargest(MOST_OUTLIERS, "beyond")
    for row in found.itertuples():
        yield language.translate(
            "{day}: {units} of {product}, where about {usual} are usual. Taken for a single "
            "order, and left out.",
            day=_day(row.date, language),
            units=language.number(row.units),
            product=row.product,
            usual=language.number(row.usual),
        )


def _day(date: dt.date, language: Language) -> str:
    return language.long_day(date, year=False)
