"""Remarks on outlier days of single products, and what Glean does of itself about them."""

from __future__ import annotations

from collections.abc import Sequence

from glean.languages.catalogues import translatable
from glean.languages.language import Language
from glean.operations.tables.remark_words import day_in, some_of
from glean.sales.quality.health import BakeryHealth, Outlier

OUTLIER_RULE = translatable(
    "An outlier is more than six times the usual scatter away from the median of the same "
    "weekday in the weeks around (measured on square roots, so that small counts may scatter)."
)
"""What `usual_units` does."""


def outlier_days(bakery: BakeryHealth, language: Language) -> str:
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
    if not found:
        return _all_come_again(bakery, again, language) if again else ""
    listed, mark = [_outlier(*at, language) for at in found], language.gettext("; ")
    said = language.translate_count(
        "{bakery}: {count} outlier by size: {outliers}. An event, or a slip?",
        "{bakery}: {count} outliers by size: {outliers}. An event, or a slip?",
        len(found),
        bakery=bakery.bakery,
        outliers=some_of(listed, language, mark),
    )
    sentences = (said, _left_out([day for _, day in found], language), _besides(again, language))
    return " ".join(filter(None, sentences))


def _outlier(product: str, day: Outlier, language: Language) -> str:
    return language.translate(
        "{product} on {day}, {units} where about {usual} are usual",
        product=product,
        day=day_in(day.date, language),
        units=language.number(day.units),
        usual=language.number(day.usual),
    )


def _left_out(days: Sequence[Outlier], language: Language) -> str:
    """Say which of some outliers Glean learns from."""
    left_out = sum(day.left_out for day in days)
    if not left_out:
        return language.translate_count(
            "Glean learns from it.", "Glean learns from them.", len(days)
        )
    if left_out == len(days):
        return language.translate_count(
            "Glean leaves it out as a single order.",
            "Glean leaves them out as single orders.",
            left_out,
        )
    return language.translate_count(
        "Glean leaves out {count} of them as a single order, and learns from the others.",
        "Glean leaves out {count} of them as single orders, and learns from the others.",
        left_out,
    )


def _all_come_again(bakery: BakeryHealth, count: int, language: Language) -> str:
    return language.translate_count(
        "{bakery}: {count} outlier, all around holidays and the year's end, which come again; "
        "Glean learns from it.",
        "{bakery}: {count} outliers, all around holidays and the year's end, which come again; "
        "Glean learns from them.",
        count,
        bakery=bakery.bakery,
    )


def _besides(count: int, language: Language) -> str:
    if not count:
        return ""
    return language.translate_count(
        "Besides, {count} around holidays and the year's end, which come again; Glean learns from "
        "it.",
        "Besides, {count} around holidays and the year's end, which come again; Glean learns from "
        "them.",
        count,
    )
