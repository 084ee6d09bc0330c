"""What to bake today and tomorrow: the list, ticked off and corrected."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from glean.languages.language import Language
from glean.sales.firm_orders import ordered_on
from glean.shop.pages.coming_days import told_of
from glean.shop.parts import Shop
from glean.shop.plans.bake_list import DayCost, ListLine, bake_list, cost_of, in_groups
from glean.shop.plans.events import with_events, with_ordered
from glean.shop.plans.kept_plans import KeptPlan
from glean.shop.web.forms import Form, Parts, number_of, see, text_of, wants_json
from glean.shop.web.rendering import language_for, money_text, page, units_text

router = APIRouter()


@router.get("/")
def show_next(request: Request, shop: Parts) -> Response:
    """Show the list of today, or of the next day that has one."""
    days = days_to_bake(shop)
    if not days:
        return page(request, "no_plan.html", making=shop.planner.state.making)
    return show_day(request, shop, days[0])


@router.get("/day/{day}")
def show_day(request: Request, shop: Parts, day: dt.date) -> Response:
    """Show the list of a day."""
    plan = shop.plans.of(day)
    if plan is None:
        status = HTTPStatus.NOT_FOUND
        return page(request, "no_plan.html", status=status, making=shop.planner.state.making)
    speaks, lines = language_for(request), list_of(shop, plan)
    return page(
        request,
        "bake.html",
        plan=plan,
        day=day,
        day_words=day_words(day, shop.today, speaks),
        days=[(each, day_words(each, shop.today, speaks)) for each in days_to_bake(shop)],
        groups=in_groups(lines),
        lines=lines,
        summary=summary_of(cost_of(lines), shop, speaks),
        total=sum(line.bake for line in lines),
        expected=sum(line.plan.expected for line in lines),
        new=new_products(shop),
        told=told_of(shop, day, speaks),
        chosen=bool(shop.assortment.baked()),
    )


@router.post("/day/{day}")
def change_day(request: Request, shop: Parts, day: dt.date, form: Form) -> Response:
    """Tick a product off or not, or set its number: a form says what is wanted, not what to change.

    So a request that is sent twice, as browsers do over a weak connection, does what one does.
    """
    plan = shop.plans.of(day)
    if plan is None:
        return see("/")
    wanted = _wanted(form)
    line = next((one for one in list_of(shop, plan) if one.product == wanted.product), None)
    if line is None:
        return see(f"/day/{day}")
    if wanted.done is not None:
        shop.baking.tick(day, line.product, done=wanted.done, at=shop.clock())
    elif wanted.units is not None:
        shop.baking.correct(
            day, line.product, planned=line.planned, units=wanted.units, at=shop.clock()
        )
    if wants_json(request):
        return JSONResponse(_as_json(request, shop, plan, line.product))
    return see(f"/day/{day}", anchor=line.product)


@dataclass(frozen=True)
class _Wanted:
    """What a tap wants of a product: it done or not, or so many units baked; None: no matter."""

    product: str
    done: bool | None = None
    units: float | None = None


def _wanted(form: Form) -> _Wanted:
    for name, done in (("tick", True), ("untick", False)):
        if product := text_of(form, name):
            return _Wanted(product, done=done)
    # One button has one value: units, a space, the product.
    typed, _, product = text_of(form, "bake").partition(" ")
    try:
        return _Wanted(product, units=number_of(typed))
    except ValueError:
        return _Wanted(product)


def _as_json(request: Request, shop: Shop, plan: KeptPlan, product: str) -> dict[str, Any]:
    speaks, lines = language_for(request), list_of(shop, plan)
    line = next(one for one in lines if one.product == product)
    return {
        "bake": units_text(line.bake, speaks),
        "more": f"{line.more} {product}",
        "less": f"{line.less} {product}",
        "done": line.done,
        "corrected": line.corrected,
        "planned": units_text(line.planned, speaks),
        "left": sum(not one.done for one in lines),
        "total": units_text(sum(one.bake for one in lines), speaks),
        "summary": summary_of(cost_of(lines), shop, speaks),
    }


def list_of(shop: Shop, plan: KeptPlan) -> tuple[ListLine, ...]:
    """Make the list of a plan with all that was entered."""
    ordered = ordered_on(shop.orders.firm(), plan.date)
    lines = bake_list(
        with_ordered(with_events(plan, shop.coming.on(plan.date)), ordered),
        ordered=ordered,
        corrections=shop.baking.corrections(plan.date),
        ticked=shop.baking.ticked(plan.date),
        left_over=left_over_for(shop, plan),
    )
    # A plan that was begun stays as it was made; what isn't baked goes all the same.
    baked = shop.assortment.baked()
    return tuple(line for line in lines if baked.get(line.product, True) or line.ordered)


def left_over_for(shop: Shop, plan: KeptPlan) -> dict[str, float]:
    """Give units that are still good on a plan's day, by product: of the last day that told."""
    found: dict[str, float] = {}
    keeps = {line.product: line.shelf_life_days for line in plan.products}
    longest = int(max(keeps.values(), default=1.0))
    for days in range(longest - 1, 0, -1):
        left = shop.closing.left_over(plan.date - dt.timedelta(days=days))
        found |= {name: units for name, units in left.items() if keeps.get(name, 1.0) > days}
    return found


def days_to_bake(shop: Shop) -> list[dt.date]:
    """Days from today on that have a plan, or the last two where none is ahead."""
    closed = {
        day for one in shop.coming.since(shop.today) if one.kind == "closed" for day in one.days()
    }
    days = [day for day in shop.plans.days() if day not in closed]
    return [day for day in days if day >= shop.today][:2] or days[-2:]


def day_words(day: dt.date, today: dt.date, speaks: Language) -> str:
    """Name a day as one says it: today, tomorrow, or its weekday and date."""
    match (day - today).days:
        case 0:
            return speaks.translate("Today")
        case 1:
            return speaks.translate("Tomorrow")
        case _:
            return f"{speaks.weekday(day, short=True)} {speaks.short_day(day)}"


def summary_of(cost: DayCost, shop: Shop, speaks: Language) -> list[str]:
    """Say what a list costs on an average day like this, and how often it suffices."""
    said = [
        speaks.translate(
            "About {left_over} left over, {missed} missed.",
            left_over=units_text(round(cost.left_over), speaks),
            missed=units_text(round(cost.missed), speaks),
        )
    ]
    if cost.priced:
        said.append(
            speaks.translate(
                "That costs about {money}.", money=money_text(cost.money, shop, speaks)
            )
        )
    if cost.unpriced:
        said.append(
            speaks.translate(
                "Each product suffices on about {days} of 10 days.",
                days=speaks.number(cost.days_of_ten),
            )
        )
    return said


def new_products(shop: Shop) -> list[str]:
    """Name products that are sold and that nobody was asked about, once anything was chosen."""
    known = shop.assortment.baked()
    if not known:
        return []
    return [item["name"] for item in shop.planner.products() if item["name"] not in known]
