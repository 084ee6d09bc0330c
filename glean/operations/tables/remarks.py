"""Remarks on a sales table: sentences about what is worth a look in it."""

from __future__ import annotations

from collections.abc import Iterator

from glean.languages.language import ENGLISH, Language
from glean.operations.tables.day_remarks import (
    months_without_sales,
    other_odd_days,
    part_of_a_day,
    regions,
    renamed,
    several_in_one,
)
from glean.operations.tables.outlier_remarks import OUTLIER_RULE, outlier_days
from glean.operations.tables.product_remarks import (
    never_sold,
    pauses,
    returns,
    short_products,
    stock_outs,
    weekdays_without_rows,
)
from glean.operations.tables.remark_words import day_in, gap_in, some_of, weekdays_off
from glean.sales.quality.health import DEFAULT_TEST_DAYS, BakeryHealth, Report
from glean.sales.quality.like_names import MOST_NAMES
from glean.sales.quality.opening_days import LoneDay
from glean.sales.windows import MIN_TRADING_DAYS

MOST_REMARKS = 5
"""Of each kind."""

DAYS_A_YEAR = 365.25


def remarks_of(report: Report, language: Language = ENGLISH) -> Iterator[str]:
    """Sentences about what is worth a look, the gravest kinds first; of each kind a few."""
    for remarks in _by_kind(report, language):
        rest = len(remarks) - MOST_REMARKS
        yield from remarks[:MOST_REMARKS]
        if rest > 0:
            yield language.translate_count(
                "... and {count} more like this.", "... and {count} more like this.", rest
            )


def _by_kind(report: Report, language: Language) -> Iterator[list[str]]:
    bakeries = report.bakeries
    yield [_short(bakery, language) for bakery in bakeries if bakery.is_short]
    if report.learns:  # else the verdict says it of all
        yield [text for bakery in bakeries if (text := _untrained(bakery, language))]
    yield [text for bakery in bakeries for text in _lone_days(bakery, language)]
    yield [_to_come(bakery, language) for bakery in bakeries if bakery.days_to_come]
    yield from _like_names(report, language)
    yield from _uncompared(report, language)
    yield [text for bakery in bakeries for text in renamed(bakery, language)]
    by_gap = sorted(bakeries, key=_longest_gap, reverse=True)
    for remark in (
        part_of_a_day,
        several_in_one,
        other_odd_days,
        never_sold,
        short_products,
        returns,
        _gaps,
        _days_of_zeros,
        pauses,
        weekdays_without_rows,
        stock_outs,
        outlier_days,
    ):
        yield [text for bakery in by_gap if (text := remark(bakery, language))]
    if any(product.outliers for bakery in bakeries for product in bakery.products):
        yield [language.translate(OUTLIER_RULE)]
    yield list(regions(report.regions, len(bakeries), language))
    if report.ignored:
        columns = ", ".join(report.ignored)
        yield [language.translate("Columns of text that aren't used: {columns}.", columns=columns)]


def _short(bakery: BakeryHealth, language: Language) -> str:
    return language.translate_count(
        "{bakery}: a short history of {count} trading day; from {fewest} on it can be learned "
        "from.",
        "{bakery}: a short history of {count} trading days; from {fewest} on it can be learned "
        "from.",
        bakery.opening.trading_days,
        bakery=bakery.bakery,
        fewest=MIN_TRADING_DAYS,
    )


def _like_names(report: Report, language: Language) -> Iterator[list[str]]:
    yield [
        language.translate(
            "Bakeries {one} and {other}: are these the same? Glean takes them for two; if they "
            "are one, give them one name.",
            one=repr(one),
            other=repr(other),
        )
        for one, other in report.like_bakeries
    ]
    yield [
        language.translate(
            "Products {one} and {other}: are these the same? Glean takes them for two; if they "
            "are one, give them one name.",
            one=repr(one),
            other=repr(other),
        )
        for one, other in report.like_products
    ]


def _uncompared(report: Report, language: Language) -> Iterator[list[str]]:
    products = {product.product for bakery in report.bakeries for product in bakery.products}
    most = language.number(MOST_NAMES)
    if len(report.bakeries) > MOST_NAMES:
        yield [
            language.translate(
                "{count} names of bakeries weren't compared to find some that mean the same; up "
                "to {most} are.",
                count=language.number(len(report.bakeries)),
                most=most,
            )
        ]
    if len(products) > MOST_NAMES:
        yield [
            language.translate(
                "{count} names of products weren't compared to find some that mean the same; up "
                "to {most} are.",
                count=language.number(len(products)),
                most=most,
            )
        ]


def _untrained(bakery: BakeryHealth, language: Language) -> str:
    if bakery.learns or bakery.is_short or len(bakery.never_sold) == len(bakery.products):
        return ""
    said = language.translate(
        "{bakery}: not trained on, for fewer than {fewest} trading days with sales stand before "
        "the last {days} days, which are kept for the test.",
        bakery=bakery.bakery,
        fewest=MIN_TRADING_DAYS,
        days=DEFAULT_TEST_DAYS,
    )
    days = bakery.longest_test
    if not days:
        return said
    setting = f"test-days={days}"
    hint = language.translate("The setting {setting} leaves enough.", setting=setting)
    return f"{said} {hint}"


def _lone_days(bakery: BakeryHealth, language: Language) -> Iterator[str]:
    for day in bakery.opening.lone_days:
        values = {
            "bakery": bakery.bakery,
            "day": day_in(day.date, language),
            "time": _distance(day, language),
        }
        if day.after:
            yield language.translate(
                "{bakery}: {day} stands {time} after the day before it: a typing error? Glean "
                "takes it for a day of sales; mend or delete its rows.",
                **values,
            )
        else:
            yield language.translate(
                "{bakery}: {day} stands {time} before the day after it: a typing error? Glean "
                "takes it for a day of sales; mend or delete its rows.",
                **values,
            )


def _distance(day: LoneDay, language: Language) -> str:
    days = day.after or day.before
    if days > 2 * DAYS_A_YEAR:
        return language.translate("{count} years", count=language.number(days / DAYS_A_YEAR))
    return language.translate_count("{count} day", "{count} days", days)


def _to_come(bakery: BakeryHealth, language: Language) -> str:
    return language.translate_count(
        "{bakery}: {count} day after today has rows; sales are of the past: wrong dates, or a "
        "forecast? Glean takes them for sold.",
        "{bakery}: {count} days after today have rows; sales are of the past: wrong dates, or a "
        "forecast? Glean takes them for sold.",
        bakery.days_to_come,
        bakery=bakery.bakery,
    )


def _longest_gap(bakery: BakeryHealth) -> int:
    return bakery.opening.gaps[0].days if bakery.opening.gaps else 0


def _gaps(bakery: BakeryHealth, language: Language) -> str:
    gaps = bakery.opening.gaps
    if not gaps:
        return ""
    values = {"bakery": bakery.bakery, "gap": gap_in(gaps[0], language)}
    if len(gaps) == 1:
        said = language.translate(
            "{bakery}: no rows {gap}; closed then, or are rows lost? Glean takes days without "
            "rows for closed.",
            **values,
        )
    else:
        said = language.translate(
            "{bakery}: no rows {gap}, the longest of {count} gaps; closed then, or are rows lost? "
            "Glean takes days without rows for closed.",
            count=language.number(len(gaps)),
            **values,
        )
    return " ".join(filter(None, [said, months_without_sales(bakery, language)]))


def _days_of_zeros(bakery: BakeryHealth, language: Language) -> str:
    if bakery.selling is None:
        return ""
    weekdays = weekdays_off(bakery.selling, language)
    found = [gap_in(gap, language) for gap in bakery.selling.pauses]
    if weekdays:
        found.append(language.translate("on {weekdays}", weekdays=weekdays))
    if not found:
        return ""
    said = language.translate(
        "{bakery}: rows, but no sale {times}; a closed day has no row. Glean takes these for open "
        "days on which nobody came.",
        bakery=bakery.bakery,
        times=some_of(found, language),
    )
    months = "" if bakery.opening.gaps else months_without_sales(bakery, language)
    return " ".join(filter(None, [said, months]))
