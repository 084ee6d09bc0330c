"""Remarks on odd days, lost months, regions and renamed products, and what Glean does of itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from glean.languages.catalogues import translatable
from glean.languages.language import Language
from glean.operations.tables.remark_words import day_in, named_products, some_of
from glean.sales.quality.health import BakeryHealth
from glean.sales.quality.odd_days import OddDay
from glean.sales.quality.region_fit import RegionFit

MOST_REGIONS = 6

CLOSED_LIKE_HOLIDAYS = (
    translatable("The single closed days are as the holidays of {regions}, {days}."),
    translatable("The single closed days of {bakeries} are as the holidays of {regions}, {days}."),
)
FLAGGED_LIKE_HOLIDAYS = (
    translatable("The holiday column is as the holidays of {regions}, {days}."),
    translatable("The holiday column of {bakeries} is as the holidays of {regions}, {days}."),
)
"""Of all bakeries, and of some."""


def several_in_one(bakery: BakeryHealth, language: Language) -> str:
    """Name the days that may hold the sales of the days before them as well."""
    odd = [day for day in bakery.odd_days if day.is_several_in_one]
    if not odd:
        return ""
    found = [
        language.translate_count(
            "{day} ({times} times the usual {of_products}, nothing on the {count} day before)",
            "{day} ({times} times the usual {of_products}, nothing on the {count} days before)",
            day.missing_before,
            day=day_in(day.date, language),
            times=_times(day, language),
            of_products=named_products(day.products, language),
        )
        for day in odd
    ]
    return language.translate(
        "{bakery}: several days booked on one? {days}. Glean takes each for one day and leaves "
        "out what stands out as a single order; better enter the days singly, or delete the rows "
        "of that day.",
        bakery=bakery.bakery,
        days=some_of(found, language),
    )


def part_of_a_day(bakery: BakeryHealth, language: Language) -> str:
    """Say that the last day may not be whole."""
    for day in bakery.odd_days:
        if day.is_part:
            return language.translate(
                "{bakery}: the last day, {day}, has {share} of the usual {of_products}: exported "
                "before it was over? Glean takes it for whole; export anew, or leave it out by "
                "`glean data import --until {before}`.",
                bakery=bakery.bakery,
                day=day_in(day.date, language),
                share=language.percent(day.times_usual, 0),
                of_products=named_products(day.products, language),
                before=day.date - dt.timedelta(days=1),
            )
    return ""


def other_odd_days(bakery: BakeryHealth, language: Language) -> str:
    """Name the days on which all products are far off, without a reason that can be seen."""
    odd = [day for day in bakery.odd_days if not (day.is_several_in_one or day.is_part)]
    odd = sorted((day for day in odd if not day.comes_again), key=_distance, reverse=True)
    if not odd:
        return ""
    found = [
        language.translate(
            "{day} ({times} times the usual)",
            day=day_in(day.date, language),
            times=_times(day, language),
        )
        for day in odd
    ]
    return language.translate_count(
        "{bakery}: all products far off the usual on {count} day: {days}; an event, or are rows "
        "lost or doubled? Glean learns from them, but for products that sold over three times the "
        "usual; delete the rows of a day that says nothing of the others.",
        "{bakery}: all products far off the usual on {count} days: {days}; an event, or are rows "
        "lost or doubled? Glean learns from them, but for products that sold over three times the "
        "usual; delete the rows of a day that says nothing of the others.",
        len(odd),
        bakery=bakery.bakery,
        days=some_of(found, language),
    )


def months_without_sales(bakery: BakeryHealth, language: Language) -> str:
    """Name whole months without a sale, in a sentence; "" where there is none."""
    if not bakery.empty_months:
        return ""
    runs: list[list[dt.date]] = []
    for month in bakery.empty_months:
        if runs and (month - runs[-1][-1]).days <= 31:
            runs[-1].append(month)
        else:
            runs.append([month])
    return language.translate_count(
        "{count} whole month is without a sale ({months}).",
        "{count} whole months are without a sale ({months}).",
        len(bakery.empty_months),
        months=some_of([_months(run[0], run[-1], language) for run in runs], language),
    )


def renamed(bakery: BakeryHealth, language: Language) -> list[str]:
    """Ask about products that look renamed."""
    return [
        language.translate(
            "{bakery}: {before} ends on {ended} ({units_before} a day) and {after} begins on "
            "{began} ({units_after}), on like weekdays: renamed? Glean takes them for two; give "
            "both one name, and the history goes on.",
            bakery=bakery.bakery,
            before=repr(pair.before),
            ended=day_in(pair.ended, language),
            units_before=language.number(pair.units_before, 1),
            after=repr(pair.after),
            began=day_in(pair.began, language),
            units_after=language.number(pair.units_after, 1),
        )
        for pair in bakery.renamed
    ]


def regions(fits: Sequence[RegionFit], bakeries: int, language: Language) -> Iterator[str]:
    """Suggest the regions whose holidays fit."""
    for fit in fits:
        forms = FLAGGED_LIKE_HOLIDAYS if fit.flagged else CLOSED_LIKE_HOLIDAYS
        found = language.translate(
            forms[len(fit.bakeries) < bakeries],
            bakeries=some_of(fit.bakeries, language),
            regions=some_of(fit.regions, language, most=MOST_REGIONS),
            days=_but_for(fit.wrong_days, language),
        )
        first = f"`--region {fit.regions[0]}`"
        if len(fit.regions) > 1:
            first = language.translate("{option} or yours of these", option=first)
        commands = [] if fit.flagged else ["`glean data import`"]
        advice = language.translate(
            "Say {option} to {commands}, which then knows those to come; without it, it goes by "
            "the run's region, if that has one.",
            option=first,
            commands=language.listed([*commands, "`glean plan`"]),
        )
        yield f"{found} {advice}"


def _but_for(days: int, language: Language) -> str:
    if not days:
        return language.translate("on every day")
    return language.translate_count("but for {count} day", "but for {count} days", days)


def _months(first: dt.date, last: dt.date, language: Language) -> str:
    if first == last:
        return language.month(first)
    return language.translate(
        "{first} to {last}", first=language.month(first), last=language.month(last)
    )


def _distance(day: OddDay) -> float:
    return abs(day.units - day.usual)


def _times(day: OddDay, language: Language) -> str:
    return language.number(round(day.times_usual, 1) + 0.0, 1)  # of -0.0 that is 0.0
