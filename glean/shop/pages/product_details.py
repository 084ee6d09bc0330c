"""A product: where it is baked, what it costs, how long it keeps, and its trays by weekday."""

from __future__ import annotations

import datetime as dt
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.datastructures import FormData

from glean.languages.language import Language
from glean.shop.parts import Shop
from glean.shop.store.assortment import EVERY_DAY
from glean.shop.web.forms import Form, Parts, number_of, see, text_of
from glean.shop.web.rendering import language_for, page

router = APIRouter()

MOST_DAYS = 14
_A_MONDAY = dt.date(2024, 1, 1)


@router.get("/products/details")
def show_product(request: Request, shop: Parts, name: str) -> Response:
    """Show what is said of a product."""
    return _product_page(request, shop, name, [])


@router.post("/products/details")
def describe(request: Request, shop: Parts, name: str, form: Form) -> Response:
    """Keep what is said, or say what can't be meant."""
    speaks = language_for(request)
    said, problems = _read(form, speaks)
    if name not in {item["name"] for item in shop.planner.products()}:
        return see("/products")
    if problems:
        return _product_page(request, shop, name, problems)
    trays = {day: (said[f"batch_{day}"], said[f"minimum_{day}"]) for day in (EVERY_DAY, *range(7))}
    shop.assortment.describe(name, said, trays)
    shop.wake.set()
    return see("/products", anchor=name)


def _product_page(request: Request, shop: Shop, name: str, problems: list[str]) -> Response:
    speaks = language_for(request)
    trays = shop.assortment.trays().get(name, {})
    days = [(EVERY_DAY, speaks.translate("Every day"))]
    days += [(k, speaks.weekday(_A_MONDAY + dt.timedelta(days=k))) for k in range(7)]
    return page(
        request,
        "product.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
        name=name,
        said=shop.assortment.said().get(name, {}),
        categories=sorted({item["category"] for item in shop.planner.products()} - {""}),
        trays=[(day, words, trays.get(day, {})) for day, words in days],
        several=any(day != EVERY_DAY for day in trays),
        problems=problems,
    )


def _read(form: FormData, speaks: Language) -> tuple[dict[str, Any], list[str]]:
    said: dict[str, Any] = {"category": text_of(form, "category")[:60] or None}
    problems = []
    names = ["price", "cost", "shelf_life_days"]
    names += [f"{name}_{day}" for day in (EVERY_DAY, *range(7)) for name in ("batch", "minimum")]
    for name in names:
        typed = text_of(form, name)
        try:
            said[name] = number_of(typed) or None
        except ValueError:
            said[name] = None
            problems.append(speaks.translate("“{typed}” is no number.", typed=typed[:30]))
    keeps = said["shelf_life_days"]
    if keeps is not None and not (keeps == int(keeps) and 1 <= keeps <= MOST_DAYS):
        problems.append(speaks.translate("A product keeps for 1 to 14 whole days."))
    if (said["price"] is None) != (said["cost"] is None):
        problems.append(speaks.translate("Price and cost go together: both, or neither."))
    elif said["price"] is not None and said["price"] <= said["cost"]:
        problems.append(speaks.translate("The price has to be above the cost."))
    return said, problems
