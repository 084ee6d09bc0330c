"""Remarks on odd days, lost months, regions and renamed products, and what Glean does of itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from glean.sales.quality.health import BakeryHealth, Outlier
from glean.sales.quality.odd_days import OddDay
from glean.sales.quality.region_fit import RegionFit

MOST_NAMED = 3
"""Days, months, products or bakeries in one remark."""

MOST_REGIONS = 6


def several_in_one(bakery: BakeryHealth) -> str:
    """Name the days that may hold the sales of the days before them as well."""
    odd = [day for day in bakery.odd_days if day.is_several_in_one]
    if not odd:
        return ""
    found = [
        f"{day.date} ({day.times_usual:.1f} times the usual of {_products(day)}, "
        f"nothing on the {_days(day.missing_before)} before)"
        for day in odd
    ]
    return (
        f"{bakery.bakery}: several days booked on one? {some_of(found)}. Glean takes each for one "
        "day and leaves out what stands out as a single order; better enter the days singly, or "
        "delete the rows of that day."
    )


def part_of_a_day(bakery: BakeryHealth) -> str:
    """Say that the last day may not be whole."""
    for day in bakery.odd_days:
        if day.is_part:
            before = day.date - dt.timedelta(days=1)
            return (
                f"{bakery.bakery}: the last day, {day.date}, has {day.times_usual:.0%} of the "
                f"usual of {_products(day)}: exported before it was over? Glean takes "
                "it for whole; export anew, or leave it out by "
                f"`glean data import --until {before}`."
            )
    return ""


def other_odd_days(bakery: BakeryHealth) -> str:
    """Name the days on which all products are far off, without a reason that can be seen."""
    odd = [day for day in bakery.odd_days if not (day.is_several_in_one or day.is_part)]
    odd = sorted((day for day in odd if not day.comes_again), key=_distance, reverse=True)
    if not odd:
        return ""
    found = [f"{day.date} ({day.times_usual:.1f} times the usual)" for day in odd]
    return (
        f"{bakery.bakery}: all products far off the usual on {_days(len(odd))}: {some_of(found)}; "
        "an event, or are rows lost or doubled? Glean learns from them, but for products that sold "
        "over three times the usual; delete the rows of a day that says nothing of the others."
    )


def outlier_days(bakery: BakeryHealth) -> str:
    """List outlier days of single products by size, with what becomes of them."""
    odd = {day.date for day in bakery.odd_days}
    every = [
        (product.product, day)
        for product in bakery.products
        for day in product.outliers
        if day.date not in odd
    ]
    found = [(product, day) for product, day in every if not day.comes_again]
    found.sort(key=lambda at: -abs(at[1].units - at[1].usual))
    again = len(every) - len(found)
    around = (
        f"around holidays and the year's end, which come again; Glean learns from {_them(again)}"
    )
    if not found:
        return f"{bakery.bakery}: {_outliers(again)}, all {around}." if again else ""
    listed = [
        f"{product} on {day.date}, {day.units:,.0f} where about {day.usual:,.0f} are usual"
        for product, day in found
    ]
    besides = f" Besides, {again} {around}." if again else ""
    return (
        f"{bakery.bakery}: {_outliers(len(found))} by size: {some_of(listed, '; ')}. An event, "
        f"or a slip? {_left_out([day for _, day in found])}{besides}"
    )


def months_without_sales(bakery: BakeryHealth) -> str:
    """Name whole months without a sale, as a clause; "" where there is none."""
    if not bakery.empty_months:
        return ""
    runs: list[list[dt.date]] = []
    for month in bakery.empty_months:
        if runs and (month - runs[-1][-1]).days <= 31:
            runs[-1].append(month)
        else:
            runs.append([month])
    found = [f"{run[0]:%Y-%m}" + (f" to {run[-1]:%Y-%m}" if run[1:] else "") for run in runs]
    count = len(bakery.empty_months)
    return f"; {count} whole month{'s' * (count != 1)} without a sale ({some_of(found)})"


def renamed(bakery: BakeryHealth) -> list[str]:
    """Ask about products that look renamed."""
    return [
        f"{bakery.bakery}: {pair.before!r} ends on {pair.ended} ({pair.units_before:,.1f} a day) "
        f"and {pair.after!r} begins on {pair.began} ({pair.units_after:,.1f}), on like weekdays: "
        "renamed? Glean takes them for two; give both one name, and the history goes on."
        for pair in bakery.renamed
    ]


def regions(fits: Sequence[RegionFit], bakeries: int) -> Iterator[str]:
    """Suggest the regions whose holidays fit."""
    for fit in fits:
        whom = "" if len(fit.bakeries) == bakeries else f" of {some_of(fit.bakeries)}"
        what = f"holiday column{whom} is" if fit.flagged else f"single closed days{whom} are"
        more = len(fit.regions) - MOST_REGIONS
        codes = ", ".join(fit.regions[:MOST_REGIONS]) + (f" and {more} more" if more > 0 else "")
        days = f"but for {_days(fit.wrong_days)}" if fit.wrong_days else "on every day"
        where = "" if fit.flagged else "`glean data import` and "
        which = " or yours of these" if len(fit.regions) > 1 else ""
        yield (
            f"The {what} as the holidays of {codes}, {days}: say `--region {fit.regions[0]}`"
            f"{which} to {where}`glean plan`, which then knows those to come; without it, it "
            "goes by the run's region, if that has one."
        )


def some_of(texts: Sequence[str], mark: str = ", ") -> str:
    """List a few texts and count the rest."""
    rest = len(texts) - MOST_NAMED
    return mark.join(texts[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _left_out(days: Sequence[Outlier]) -> str:
    """Say which of some outliers Glean learns from."""
    left_out = sum(day.left_out for day in days)
    if not left_out:
        return f"Glean learns from {_them(len(days))}."
    if left_out == len(days):
        orders = "a single order" if left_out == 1 else "single orders"
        return f"Glean leaves {_them(left_out)} out as {orders}."
    orders = "1 of them as a single order" if left_out == 1 else f"{left_out} as single orders"
    return f"Glean leaves out {orders}, and learns from the others."


def _distance(day: OddDay) -> float:
    return abs(day.units - day.usual)


def _products(day: OddDay) -> str:
    few = {1: "one product", 2: "both products"}
    return few.get(day.products, f"all {day.products} products")


def _outliers(count: int) -> str:
    return f"{count} outlier{'s' * (count != 1)}"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def _them(count: int) -> str:
    return "it" if count == 1 else "them"
