"""The list of a day as one sheet for the wall, with corrections, orders and what is left over."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from glean.evaluation.pages.wall_sheet import WallLine, WallSheet, wall_page
from glean.evaluation.pages.wall_words import likely, not_baked, number, plan_heads, week_bars
from glean.languages.language import Language
from glean.shop.plans.bake_list import ListLine
from glean.shop.plans.kept_plans import KeptPlan


def wall_sheet(
    plan: KeptPlan,
    lines: Sequence[ListLine],
    language: Language,
    *,
    remarks: Sequence[str] = (),
    foot: Sequence[str] = (),
) -> str:
    """Make the sheet's HTML, to print.

    Parameters
    ----------
    plan : KeptPlan
        The day's plan.
    lines : sequence of ListLine
        What to bake.
    language : Language
        Of the sheet.
    remarks, foot : sequence of str
        What is told above and below, in that language; the day's headline comes first.
    """
    known = language.translate("Sales known up to {day}.", day=language.date(plan.known_until))
    sure = language.translate("“Likely” holds on four days of five.")
    days = [(dt.date.fromisoformat(day), units) for day, units in plan.days]
    baked = sorted((one for one in lines if one.bake > 0), key=lambda one: -one.bake)
    return wall_page(
        WallSheet(
            title=(plan.bakery, language.weekday(plan.date), language.date(plan.date)),
            heads=(*plan_heads(language), language.translate("baked")),
            lines=tuple(_line(one, language) for one in baked),
            remarks=tuple(filter(None, (plan.headline[language.code], *remarks))),
            foot=(
                " ".join(foot),
                not_baked([one.product for one in lines if one.bake <= 0], language),
                f"{sure} {known}",
            ),
            week=week_bars(
                [(day, units) for day, units in days if day >= plan.date],
                plan.date,
                language,
                plan.units_label,
            ),
        ),
        language,
    )


def _line(one: ListLine, language: Language) -> WallLine:
    why = [one.plan.why[language.code]] if one.plan.why[language.code] else []
    firm = []
    if one.ordered:
        firm.append(
            language.translate("{units} of them ordered", units=number(one.ordered, language))
        )
    if one.left_over:
        firm.append(
            language.translate(
                "{units} left over of yesterday", units=number(one.left_over, language)
            )
        )
    return WallLine(
        one.plan.category,
        one.product,
        number(one.bake, language),
        likely(one.plan.low, one.plan.high, language),
        (", ".join([*firm, *why]), ", ".join(firm)),
    )
