"""When a morning begins by itself, and whether its plan is printed."""

from __future__ import annotations

import re
from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from glean.shop.parts import Shop
from glean.shop.plans.routine import PRINTER, PRINTS, STEPS, TIME
from glean.shop.plans.sheet_pdf import browser
from glean.shop.store.mornings import BEGUN
from glean.shop.web.forms import Form, Parts, see, text_of
from glean.shop.web.rendering import page

router = APIRouter()

USUAL_TIME = "04:30"
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_PRINTER = re.compile(r"[\w.@/-]{0,127}")


@router.get("/mornings")
def show_mornings(request: Request, shop: Parts) -> Response:
    """Show how mornings go."""
    return _mornings(request, shop)


@router.post("/mornings")
def choose(request: Request, shop: Parts, form: Form) -> Response:
    """Keep when they begin, and what they print."""
    by_itself, time = "by-itself" in form, text_of(form, "time")
    printer = text_of(form, "printer")
    if (by_itself and not _TIME.fullmatch(time)) or not _PRINTER.fullmatch(printer):
        return _mornings(request, shop, wrong=True)
    shop.choices.put(
        **{TIME: time if by_itself else None, PRINTS: "prints" in form, PRINTER: printer or None}
    )
    shop.wake.set()
    return see("/mornings?saved=1")


def _mornings(request: Request, shop: Shop, *, wrong: bool = False) -> Response:
    return page(
        request,
        "mornings.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK,
        by_itself=bool(shop.choices.get(TIME, "")),
        time=shop.choices.get(TIME, USUAL_TIME),
        prints=shop.choices.get(PRINTS, False),
        printer=shop.choices.get(PRINTER, ""),
        folder=shop.choices.get("exports-folder", ""),
        last=shop.mornings.last(),
        steps=STEPS,
        begun=BEGUN,
        wrong=wrong,
        on_a4=browser() is not None,
    )
