"""Looking back: a day's plan against what was sold, and whose corrections were right."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from glean.shop.pages.closing import closed_lines
from glean.shop.pages.day_list import list_of
from glean.shop.parts import Shop
from glean.shop.plans.verdicts import Verdict, verdict
from glean.shop.web.forms import Parts
from glean.shop.web.rendering import page

router = APIRouter()

LOOK_BACK_DAYS = 28
"""Days over which it is counted who was right."""


@dataclass(frozen=True)
class ReviewedLine:
    """A product of a day that is over.

    Parameters
    ----------
    product : str
        Its name.
    planned, baked : float
        Units by the plan, and as corrected.
    sold : float or None
        Units sold, by the till or by what was left over; None where neither is known.
    left : float or None
        Units left over; None where that isn't known.
    time : str
        When it sold out.
    verdict : Verdict or None
        Who was right; None where nobody corrected.
    """

    product: str
    planned: float
    baked: float
    sold: float | None
    left: float | None
    time: str
    verdict: Verdict | None


@router.get("/review")
def show_last(request: Request, shop: Parts) -> Response:
    """Show the last day that was sold."""
    days = _days(shop)
    return show_day(request, shop, days[0] if days else shop.today - dt.timedelta(days=1))


@router.get("/review/{day}")
def show_day(request: Request, shop: Parts, day: dt.date) -> Response:
    """Show a day."""
    lines = reviewed_lines(shop, day)
    known = [line for line in lines if line.sold is not None]
    return page(
        request,
        "review.html",
        day=day,
        days=_days(shop),
        lines=lines,
        sold=sum(line.sold or 0.0 for line in known),
        baked=sum(line.baked for line in known),
        left=sum(line.left or 0.0 for line in lines),
        sold_out=[line for line in lines if line.time],
        known=bool(known),
        verdicts=_verdicts(shop),
    )


def reviewed_lines(shop: Shop, day: dt.date) -> list[ReviewedLine]:
    """Put a day's plan beside what became of it."""
    plan = shop.plans.of(day)
    if plan is None:
        return []
    closed = {line.product: line for line in closed_lines(shop, day)}
    found = []
    for line in list_of(shop, plan):
        evening = closed[line.product]
        sold = evening.sold
        if sold is None and (evening.left is not None or evening.time):
            sold = max(evening.baked - (evening.left or 0.0), 0.0)
        judged = None
        if line.corrected:
            judged = verdict(line.planned, line.bake, sold, sold_out=bool(evening.time))
        found.append(
            ReviewedLine(
                line.product, line.planned, line.bake, sold, evening.left, evening.time, judged
            )
        )
    return found


def _days(shop: Shop) -> list[dt.date]:
    """Days with a plan that are over, the newest first."""
    sold = shop.till.sold()
    days = [day for day in shop.plans.days() if f"{day}" in sold or day < shop.today]
    return list(reversed(days))[:7]


def _verdicts(shop: Shop) -> dict[str, int]:
    """Count who was right over the last weeks."""
    first = shop.today - dt.timedelta(days=LOOK_BACK_DAYS)
    found: Counter[str] = Counter()
    for day in shop.plans.days():
        if first <= day and shop.baking.corrections(day):
            found.update(
                line.verdict.value for line in reviewed_lines(shop, day) if line.verdict is not None
            )
    return dict(found)
