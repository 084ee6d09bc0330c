"""A plan with the events of its day: the owner's word of how much more will be asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from glean.languages.language import LANGUAGES
from glean.shop.plans.kept_plans import KeptPlan, PlanLine
from glean.shop.store.coming import ComingDays

QUANTILES = 19
"""As many as a kept plan has of a product."""


def with_events(plan: KeptPlan, coming: Iterable[ComingDays]) -> KeptPlan:
    """Scale the lines of a plan by the events of its day.

    Parameters
    ----------
    plan : KeptPlan
        The plan, which knows nothing of events: no sales say what one does.
    coming : iterable of ComingDays
        What is known; events of that day count. Several multiply.
    """
    events = [one for one in coming if one.kind == "event" and one.is_on(plan.date) and one.percent]
    if not events:
        return plan
    return replace(plan, products=tuple(_scaled(line, events) for line in plan.products))


def with_ordered(plan: KeptPlan, ordered: Iterable[str]) -> KeptPlan:
    """Add lines for products that are ordered, though nobody who walks in is expected to ask."""
    known = {line.product for line in plan.products}
    added = tuple(_only_ordered(name) for name in sorted(set(ordered) - known))
    return replace(plan, products=(*plan.products, *added)) if added else plan


def _only_ordered(product: str) -> PlanLine:
    return PlanLine(
        product,
        category="",
        bake=0.0,
        expected=0.0,
        low=0.0,
        high=0.0,
        ratio=0.0,
        enough=1.0,
        quantiles=(0.0,) * QUANTILES,
        # Nothing is left over or missed of it: it costs nothing, whatever its price.
        margin=0.0,
        loss=0.0,
        shelf_life_days=1.0,
        batch=None,
        minimum=None,
        why=dict.fromkeys(LANGUAGES, ""),
    )


def _scaled(line: PlanLine, events: Iterable[ComingDays]) -> PlanLine:
    factor = 1.0
    for event in events:
        if event.product in ("", line.product):
            factor *= max(1.0 + event.percent / 100.0, 0.0)
    if factor == 1.0:
        return line
    whole = line.bake == round(line.bake)
    bake = round(line.bake * factor) if whole else round(line.bake * factor, 1)
    return replace(
        line,
        bake=float(bake),
        expected=line.expected * factor,
        low=line.low * factor,
        high=line.high * factor,
        quantiles=tuple(units * factor for units in line.quantiles),
    )
