"""The weather of the shop's place: off until a place is entered, and what it does is said."""

from __future__ import annotations

import datetime as dt
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response

from glean.errors import SettingsError
from glean.outgoing.weather import Place
from glean.shop.parts import Shop
from glean.shop.web.forms import Form, Parts, see, text_of
from glean.shop.web.rendering import language_for, page

router = APIRouter()


@router.get("/weather")
def show_weather(request: Request, shop: Parts) -> Response:
    """Show what is asked, of whom, and what came of it."""
    return _page(request, shop)


@router.post("/weather")
def choose_place(request: Request, shop: Parts, form: Form) -> Response:
    """Ask for the weather of a place from now on, or no more."""
    if "off" in form:
        shop.choices.put(place=None)
        return see("/weather")
    try:
        place = Place.of(*(_degrees(text_of(form, name)) for name in ("latitude", "longitude")))
    except (SettingsError, ValueError):
        speaks = language_for(request)
        problem = speaks.translate(
            "A place is a latitude from -90 to 90 and a longitude from -180 to 180, like 53.6 and "
            "10.0."
        )
        return _page(request, shop, problem=problem)
    # Rounded before it is kept: a finer one is nowhere.
    shop.choices.put(place=[place.latitude, place.longitude])
    return see("/weather")


def _page(request: Request, shop: Shop, problem: str = "") -> Response:
    found = shop.choices.get("place")
    heard = shop.planner.ahead().get("weather", {}) if found else {}
    days = [
        (dt.date.fromisoformat(day), warmth, rain) for day, warmth, rain in heard.get("days", ())
    ]
    return page(
        request,
        "weather.html",
        place=found,
        provider=urlsplit(shop.settings.weather).hostname,
        days=[one for one in days if one[0] >= shop.today][:7],
        counts=heard.get("counts", ()),
        failed=heard.get("problem", ""),
        heard_at=heard.get("heard_at"),
        problem=problem,
    )


def _degrees(text: str) -> float:
    return float(text.replace(",", "."))
