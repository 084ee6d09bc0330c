"""After closing: what is left over, and what sold out when; a few taps a product."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from glean.errors import GleanError
from glean.operations.shop.grow_table import ClosedDay
from glean.shop.pages.day_list import day_words, list_of
from glean.shop.parts import Shop
from glean.shop.plans.planner import lines_of
from glean.shop.web.forms import Form, Parts, number_of, see, text_of
from glean.shop.web.rendering import language_for, page

router = APIRouter()

FEW = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20)
"""Left-overs that are a tap away."""

HOURS = tuple(f"{hour:02d}:00" for hour in range(8, 20))
"""Times of selling out that are a tap away."""

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


@dataclass(frozen=True)
class ClosedLine:
    """A product after closing.

    Parameters
    ----------
    product : str
        Its name.
    baked : float
        Units that were baked, with those of the day before that were sold on.
    left : float or None
        Units left over, as far as entered.
    time : str
        When it sold out; "" where it didn't.
    sold : float or None
        Units sold by the till; None where the table lacks the day.
    """

    product: str
    baked: float
    left: float | None
    time: str
    sold: float | None


@router.get("/closing")
def show_last(request: Request, shop: Parts, product: str = "") -> Response:
    """Show the day that ends now."""
    days = closed_days(shop)
    if not days:
        return page(request, "no_plan.html", making=shop.planner.state.making)
    return show_evening(request, shop, days[0], product)


@router.get("/closing/{day}")
def show_evening(request: Request, shop: Parts, day: dt.date, product: str = "") -> Response:
    """Show a day's products, and of one what can be said of it."""
    return _evening(request, shop, day, product)


def _evening(
    request: Request, shop: Shop, day: dt.date, product: str = "", failed: tuple[str, ...] = ()
) -> Response:
    speaks, lines = language_for(request), closed_lines(shop, day)
    return page(
        request,
        "closing.html",
        day=day,
        days=[(each, day_words(each, shop.today, speaks)) for each in closed_days(shop)],
        lines=lines,
        open_product=product,
        few=FEW,
        hours=HOURS,
        entered=sum(line.left is not None or bool(line.time) for line in lines),
        has_sales=f"{day}" in shop.till.sold(),
        failed=failed,
    )


@router.post("/closing/{day}")
def enter(request: Request, shop: Parts, day: dt.date, form: Form) -> Response:
    """Keep what became of a product, or take the whole day into the sales."""
    if "close" in form:
        return _close(request, shop, day)
    product = text_of(form, "product")
    if product in {line.product for line in closed_lines(shop, day)}:
        left, time = _entered(text_of(form, "left"), text_of(form, "time"))
        shop.closing.enter(day, product, left=left, time=time, at=shop.clock())
        shop.wake.set()
    return see(f"/closing/{day}", anchor=product)


def _entered(left: str, time: str) -> tuple[float | None, str]:
    """Read what was entered; what sold out has nothing left."""
    if _TIME.fullmatch(time):
        return None, time
    try:
        return number_of(left), ""
    except ValueError:
        return None, ""


def _close(request: Request, shop: Shop, day: dt.date) -> Response:
    lines = closed_lines(shop, day)
    sold = {
        line.product: line.baked - (line.left or 0.0)
        for line in lines
        if line.left is not None or line.time
    }
    times = {line.product: line.time for line in lines if line.time}
    try:
        shop.till.close_day(ClosedDay(day, sold=sold, sold_out_at=times))
    except GleanError as error:
        return _evening(request, shop, day, failed=lines_of(error))
    shop.wake.set()
    return see(f"/review/{day}")


def closed_days(shop: Shop) -> list[dt.date]:
    """Days up to now that have a plan, the newest first; those ahead where there is none."""
    days = shop.plans.days()
    return [day for day in reversed(days) if day <= shop.today][:2] or days[:1]


def closed_lines(shop: Shop, day: dt.date) -> list[ClosedLine]:
    """Put together what is known of a day's products."""
    plan = shop.plans.of(day)
    if plan is None:
        return []
    left, times = shop.closing.left_over(day), shop.closing.sold_out(day)
    sold = shop.till.sold().get(f"{day}")
    return [
        ClosedLine(
            product=line.product,
            baked=line.bake + line.left_over,
            left=left.get(line.product),
            time=times.get(line.product, ""),
            sold=None if sold is None else sold.get(line.product, 0.0),
        )
        for line in list_of(shop, plan)
    ]
