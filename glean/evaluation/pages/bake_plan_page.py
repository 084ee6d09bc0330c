"""The bake plan as a page to print: A4, large type, one line a product; pinned on the wall.

In comes a `BakePlan`; out comes one HTML file that works offline, nothing fetched, no script.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence

from glean.evaluation.pages.wall_sheet import WallLine, WallSheet, wall_page
from glean.evaluation.pages.wall_words import likely, not_baked, number, plan_heads, week_bars
from glean.forecasting.plan import BakePlan, PlannedProduct
from glean.languages.catalogues import translatable
from glean.languages.language import Language


def bake_page(
    plan: BakePlan,
    language: Language,
    *,
    units_label: str,
    known_until: dt.date,
    remarks: Sequence[str] = (),
    groups: Mapping[str, str] | None = None,
) -> str:
    """Write the page.

    Parameters
    ----------
    plan : BakePlan
        What to bake.
    language : Language
        Of the page.
    units_label : str
        What is counted: "units", or money.
    known_until : date
        Last day of which sales were known, for the foot of the page.
    remarks : sequence of str
        What is to be known before the numbers, in that language.
    groups : mapping of str to str, optional
        Product -> the category under which it stands.
    """
    baked = [product for product in plan.products if product.bake > 0]
    return wall_page(
        WallSheet(
            title=(plan.bakery, language.weekday(plan.date), language.date(plan.date)),
            heads=(*plan_heads(language), language.translate("baked")),
            lines=tuple(_line(product, groups or {}, language) for product in baked),
            remarks=tuple(remarks),
            foot=(
                _costs(plan, language),
                not_baked([p.product for p in plan.products if p.bake <= 0], language),
                _basis(language, known_until),
            ),
            week=week_bars(plan.week, plan.date, language, units_label),
        ),
        language,
    )


def _line(product: PlannedProduct, groups: Mapping[str, str], language: Language) -> WallLine:
    return WallLine(
        groups.get(product.product, ""),
        product.product,
        number(product.bake, language),
        likely(product.low, product.high, language),
        tuple(product.why(language, most=most) for most in (2, 1)),
    )


def _costs(plan: BakePlan, language: Language) -> str:
    """Say what a day like this leaves over and misses on average, in the units that are known."""
    parts = [
        language.translate(
            "On an average day like this {left_over} left over and {missed} missed.",
            left_over=number(_sum(plan, "left_over"), language),
            missed=number(_sum(plan, "missed"), language),
        )
    ]
    for name, words, digits in (
        ("cost", translatable("{value} lost with both."), 2),
        ("left_over_kg", translatable("{value} kg left over."), 1),
        ("left_over_co2e_kg", translatable("{value} kg CO2e behind it."), 1),
    ):
        known = [getattr(product, name) for product in plan.products]
        known = [value for value in known if not math.isnan(value)]
        if known:
            parts.append(language.translate(words, value=language.number(sum(known), digits)))
    return " ".join(parts)


def _basis(language: Language, known_until: dt.date) -> str:
    """Say what "likely" means, and what the plan goes by."""
    return " ".join(
        (
            language.translate("“Likely” holds on four days of five."),
            language.translate("Sales known up to {day}.", day=language.date(known_until)),
        )
    )


def _sum(plan: BakePlan, name: str) -> float:
    return float(sum(getattr(product, name) for product in plan.products))
