"""Orders: for a day, or standing ones by weekday; they come on top of who walks in."""

from __future__ import annotations

import datetime as dt

from fastapi import APIRouter, Request, Response
from starlette.datastructures import FormData

from glean.errors import GleanError
from glean.languages.language import Language
from glean.sales.firm_orders import EVERY_WEEKDAY, FirmOrder, ordered_on
from glean.shop.pages.coming_days import NOTE_LETTERS, day_of
from glean.shop.parts import Shop
from glean.shop.store.orders import KeptOrder
from glean.shop.web.forms import Form, Parts, number_of, see, text_of
from glean.shop.web.rendering import language_for, page, units_text

router = APIRouter()

AHEAD_DAYS = 14
_MONDAY = dt.date(2024, 1, 1)


@router.get("/orders")
def show_orders(request: Request, shop: Parts) -> Response:
    """Show what is ordered, and the form to take an order."""
    return _page(request, shop)


@router.post("/orders")
def change_orders(request: Request, shop: Parts, form: Form) -> Response:
    """Take an order, or end one."""
    if number := text_of(form, "remove"):
        if number.isdecimal():
            shop.orders.remove(int(number), shop.today)
        return see("/orders")
    try:
        order = _entered(shop, form, language_for(request))
    except GleanError as error:
        return _page(request, shop, problem=str(error))
    shop.orders.add(order, text_of(form, "note")[:NOTE_LETTERS])
    return see("/orders")


def _page(request: Request, shop: Shop, problem: str = "") -> Response:
    speaks, today = language_for(request), shop.today
    kept = shop.orders.all()
    ahead = [today + dt.timedelta(days=k) for k in range(AHEAD_DAYS)]
    sums = [(day, ordered_on([one.order for one in kept], day)) for day in ahead]
    open_ = [one for one in kept if one.order.last is None or one.order.last >= today]
    return page(
        request,
        "orders.html",
        days=[
            (speaks.long_day(day, year=False), sorted(found.items()))
            for day, found in sums
            if found
        ],
        orders=[(one.id, _sentence(one, speaks), one.note) for one in open_],
        products=[item["name"] for item in shop.planner.products()],
        weekdays=[
            (k, speaks.weekday(_MONDAY + dt.timedelta(days=k), short=True)) for k in range(7)
        ],
        problem=problem,
    )


def _entered(shop: Shop, form: FormData, speaks: Language) -> FirmOrder:
    """Read the form.

    Raises
    ------
    GleanError
        What was entered can't be meant.
    """
    product, first = text_of(form, "product"), day_of(text_of(form, "first"))
    try:
        units = number_of(text_of(form, "units")) or 0.0
    except ValueError:
        units = 0.0
    if not product or first is None or not units:
        raise GleanError(speaks.translate("An order has a product, a number and a day."))
    if first < shop.today:
        raise GleanError(speaks.translate("An order begins today or later."))
    rung_up = bool(text_of(form, "rung_up"))
    weekdays = frozenset(
        int(text) for text in form.getlist("weekday") if isinstance(text, str) and text in "0123456"
    )
    if not weekdays:
        return FirmOrder(product, units, first, first, EVERY_WEEKDAY, rung_up)
    last = day_of(text_of(form, "last"))
    if last is not None and last < first:
        raise GleanError(speaks.translate("The last day isn't before the first."))
    return FirmOrder(product, units, first, last, weekdays, rung_up)


def _sentence(kept: KeptOrder, speaks: Language) -> str:
    order = kept.order
    what = f"{units_text(order.units, speaks)} {order.product}"
    if not kept.stands:
        return speaks.translate(
            "{what} on {day}", what=what, day=speaks.long_day(order.first, year=False)
        )
    names = [
        speaks.weekday(_MONDAY + dt.timedelta(days=k), short=True) for k in sorted(order.weekdays)
    ]
    return speaks.translate(
        "{what}, every {weekdays}, from {first} on{until}",
        what=what,
        weekdays=speaks.listed(names),
        first=speaks.short_day(order.first),
        until=""
        if order.last is None
        else speaks.translate(" until {last}", last=speaks.short_day(order.last)),
    )
