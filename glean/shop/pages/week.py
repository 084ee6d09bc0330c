"""The week ahead: units expected a day of all that is sold, for whoever plans who works when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from glean.languages.language import Language
from glean.sales.firm_orders import ordered_on
from glean.shop.pages.coming_days import NAMES, told_of
from glean.shop.parts import Shop
from glean.shop.store.coming import ComingDays
from glean.shop.web.forms import Parts
from glean.shop.web.rendering import language_for, page

router = APIRouter()


@dataclass(frozen=True)
class WeekDay:
    """A day of the week ahead.

    Parameters
    ----------
    day : date
        Which one.
    units : float or None
        Expected of all products; None on a day without a forecast, as a closed one.
    ordered : float
        Ordered for sure, on top.
    told : tuple of str
        What is known of the day.
    share : float
        Of the busiest day of these.
    planned : bool
        Whether there is a list of it.
    """

    day: dt.date
    units: float | None
    ordered: float
    told: tuple[str, ...]
    share: float
    planned: bool


@router.get("/week")
def show_week(request: Request, shop: Parts) -> Response:
    """Show it."""
    return page(request, "week.html", days=week_of(shop, language_for(request)))


def week_of(shop: Shop, speaks: Language) -> list[WeekDay]:
    """List the days from today on, as far as the newest plan has looked."""
    expected = _expected(shop)
    if not expected:
        return []
    last, orders = max(expected), shop.orders.firm()
    days = [shop.today + dt.timedelta(days=k) for k in range((last - shop.today).days + 1)]
    closed = {day for day in days for one in shop.coming.on(day) if one.kind == "closed"}
    known = {day: None if day in closed else expected.get(day) for day in days}
    busiest = max((units for units in known.values() if units), default=1.0)
    holidays = dict(shop.planner.ahead().get("holidays", ()))
    found = []
    for day in days:
        told = told_of(shop, day, speaks)
        units = _with_events(known[day], shop.coming.on(day))
        if f"{day}" in holidays:
            told.insert(0, holidays[f"{day}"][speaks.code])
        if day in closed:
            told.append(speaks.translate(NAMES["closed"]))
        ordered = sum(ordered_on(orders, day).values())
        share = min((units or 0.0) / busiest, 1.0)
        planned = shop.plans.of(day) is not None and day not in closed
        found.append(WeekDay(day, units, ordered, tuple(told), share, planned))
    return found


def _with_events(units: float | None, coming: Iterable[ComingDays]) -> float | None:
    """Scale what is expected by the events that are about all products."""
    for one in coming:
        if units is not None and one.kind == "event" and not one.product:
            units *= max(1.0 + one.percent / 100.0, 0.0)
    return units


def _expected(shop: Shop) -> dict[dt.date, float]:
    """Take what the plan that was made last expects, of days from today on."""
    plans = [plan for day in shop.plans.days() if (plan := shop.plans.of(day)) and plan.days]
    if not plans:
        return {}
    newest = max(plans, key=lambda plan: (plan.known_until, plan.date))
    days = {dt.date.fromisoformat(day): units for day, units in newest.days}
    return {day: units for day, units in days.items() if day >= shop.today}
