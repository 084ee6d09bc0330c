"""Remarks on a sales table: sentences about what is worth a look in it."""

from __future__ import annotations

from collections.abc import Iterator

from glean.operations.day_remarks import (
    months_without_sales,
    other_odd_days,
    outlier_days,
    part_of_a_day,
    regions,
    renamed,
    several_in_one,
    some_of,
)
from glean.sales.quality.health import DEFAULT_TEST_DAYS, BakeryHealth, Report
from glean.sales.quality.histories import FORECAST_FROM_DAY
from glean.sales.quality.like_names import MOST_NAMES
from glean.sales.quality.opening_days import LoneDay, OpeningDays
from glean.sales.quality.outliers import RULE
from glean.sales.windows import MIN_TRADING_DAYS

MOST_REMARKS = 5
"""Of each kind."""

OFTEN_SOLD_OUT = 0.2

DAYS_A_YEAR = 365.25


def remarks_of(report: Report) -> Iterator[str]:
    """Sentences about what is worth a look, the gravest kinds first; of each kind a few."""
    yield from _few([_short(bakery) for bakery in report.bakeries if bakery.is_short])
    if report.learns:  # else the verdict says it of all
        yield from _few([text for bakery in report.bakeries if (text := _untrained(bakery))])
    yield from _few([text for bakery in report.bakeries for text in _lone_days(bakery)])
    yield from _few([_to_come(bakery) for bakery in report.bakeries if bakery.days_to_come])
    for kind, pairs in (("Bakeries", report.like_bakeries), ("Products", report.like_products)):
        same = "are these the same? Glean takes them for two; if they are one, give them one name."
        yield from _few([f"{kind} {one!r} and {other!r}: {same}" for one, other in pairs])
    yield from _uncompared(report)
    yield from _few([text for bakery in report.bakeries for text in renamed(bakery)])
    by_gap = sorted(report.bakeries, key=_longest_gap, reverse=True)
    for remark in (
        part_of_a_day,
        several_in_one,
        other_odd_days,
        _never_sold,
        _short_products,
        _returns,
        _gaps,
        _days_of_zeros,
        _pauses,
        _weekdays,
        _stock_outs,
        outlier_days,
    ):
        yield from _few([text for bakery in by_gap if (text := remark(bakery))])
    if any(product.outliers for bakery in report.bakeries for product in bakery.products):
        yield RULE
    yield from _few(list(regions(report.regions, len(report.bakeries))))
    if report.ignored:
        yield f"Columns of text that aren't used: {', '.join(report.ignored)}."


def _few(texts: list[str]) -> list[str]:
    rest = len(texts) - MOST_REMARKS
    return texts[:MOST_REMARKS] + ([f"... and {rest} more like this."] if rest > 0 else [])


def _short(bakery: BakeryHealth) -> str:
    days = bakery.opening.trading_days
    return (
        f"{bakery.bakery}: a short history of {days} trading day{'s' * (days != 1)}; "
        f"from {MIN_TRADING_DAYS} on it can be learned from."
    )


def _uncompared(report: Report) -> Iterator[str]:
    products = {product.product for bakery in report.bakeries for product in bakery.products}
    for kind, count in (("bakeries", len(report.bakeries)), ("products", len(products))):
        if count > MOST_NAMES:
            yield (
                f"{count:,} names of {kind} weren't compared to find some that mean the same; "
                f"up to {MOST_NAMES:,} are."
            )


def _untrained(bakery: BakeryHealth) -> str:
    if bakery.learns or bakery.is_short or len(bakery.never_sold) == len(bakery.products):
        return ""
    days = bakery.longest_test
    hint = f"; `--set test-days={days}` leaves enough" if days else ""
    return (
        f"{bakery.bakery}: not trained on, for fewer than {MIN_TRADING_DAYS} trading days with "
        f"sales stand before the last {DEFAULT_TEST_DAYS} days, which are kept for the test{hint}."
    )


def _lone_days(bakery: BakeryHealth) -> list[str]:
    return [
        f"{bakery.bakery}: {day.date} stands {_distance(day)}: a typing error? Glean takes "
        "it for a day of sales; mend or delete its rows."
        for day in bakery.opening.lone_days
    ]


def _distance(day: LoneDay) -> str:
    days = day.after or day.before
    length = f"{days / DAYS_A_YEAR:.0f} years" if days > 2 * DAYS_A_YEAR else f"{days} days"
    return f"{length} {'after the day before it' if day.after else 'before the day after it'}"


def _to_come(bakery: BakeryHealth) -> str:
    days = bakery.days_to_come
    has = "1 day after today has rows" if days == 1 else f"{days:,} days after today have rows"
    return (
        f"{bakery.bakery}: {has}; sales are of the past: wrong dates, or a forecast? Glean takes "
        "them for sold."
    )


def _never_sold(bakery: BakeryHealth) -> str:
    idle = bakery.never_sold
    if not idle:
        return ""
    if len(idle) == len(bakery.products):
        return f"{bakery.bakery}: never sold anything; it can't be learned from."
    them = "it" if len(idle) == 1 else "they"
    return f"{bakery.bakery}: {some_of(idle)} never sold; {them} can't be learned from."


def _short_products(bakery: BakeryHealth) -> str:
    short = [] if bakery.is_short else [product for product in bakery.products if product.is_short]
    if not short:
        return ""
    shortest = sorted(short, key=lambda product: product.opening.trading_days)
    found = [f"{product.product} ({product.opening.trading_days})" for product in shortest]
    return (
        f"{bakery.bakery}: fewer than {MIN_TRADING_DAYS} days of {some_of(found)}; "
        f"a product is forecast from its {FORECAST_FROM_DAY}th day on."
    )


def _returns(bakery: BakeryHealth) -> str:
    count = sum(product.returns for product in bakery.products)
    if not count:
        return ""
    what = "1 negative value, probably a return"
    if count > 1:
        what = f"{count} negative values, probably returns"
    return (
        f"{bakery.bakery}: {what}; `glean data import --returns net` takes it off the day's sales."
    )


def _longest_gap(bakery: BakeryHealth) -> int:
    return bakery.opening.gaps[0].days if bakery.opening.gaps else 0


def _gaps(bakery: BakeryHealth) -> str:
    gaps = bakery.opening.gaps
    if not gaps:
        return ""
    more = f", the longest of {len(gaps)} gaps" if len(gaps) > 1 else ""
    months = months_without_sales(bakery)
    return (
        f"{bakery.bakery}: no rows from {gaps[0]}{more}{months}; closed then, or are rows lost? "
        "Glean takes days without rows for closed."
    )


def _days_of_zeros(bakery: BakeryHealth) -> str:
    if bakery.selling is None:
        return ""
    weekdays = weekdays_off(bakery.selling)
    found = [f"from {gap}" for gap in bakery.selling.pauses] + (
        [f"on {weekdays}"] if weekdays else []
    )
    if not found:
        return ""
    months = "" if bakery.opening.gaps else months_without_sales(bakery)
    return (
        f"{bakery.bakery}: rows, but no sale {some_of(found)}{months}; a closed day has no row. "
        "Glean takes these for open days on which nobody came."
    )


def _pauses(bakery: BakeryHealth) -> str:
    paused = [product for product in bakery.products if product.opening.pauses]
    if not paused:
        return ""
    longest = sorted(paused, key=lambda product: -product.opening.pauses[0].days)
    found = [f"{product.product} from {product.opening.pauses[0]}" for product in longest]
    return (
        f"{bakery.bakery}: open, but no rows of {some_of(found)}; not on offer, or rows lost? "
        "Glean takes it for not on offer."
    )


def _weekdays(bakery: BakeryHealth) -> str:
    off = [(product.product, weekdays_off(product.opening)) for product in bakery.products]
    found = [f"{product} ({days})" for product, days in off if days]
    if not found:
        return ""
    return (
        f"{bakery.bakery}: open, but these have no rows on some weekdays: {some_of(found)}. Glean "
        "plans nothing on a weekday on which it hardly ever sold."
    )


def weekdays_off(opening: OpeningDays) -> str:
    """Abbreviate the weekdays without rows, like "Sun; mostly Mon"; "" where there are none."""
    off, mostly = (
        ", ".join(day[:3] for day in days) for days in (opening.days_off, opening.mostly_off)
    )
    return "; ".join(filter(None, [off, f"mostly {mostly}" if mostly else ""]))


def _stock_outs(bakery: BakeryHealth) -> str:
    often = [product for product in bakery.products if product.sold_out_share > OFTEN_SOLD_OUT]
    if not often:
        return ""
    worst = max(often, key=lambda product: product.sold_out_share)
    return (
        f"{bakery.bakery}: {worst.product} sold out on {worst.sold_out_share:.0%} of its days; "
        "more could have been sold then, but no sales table shows how much."
    )
