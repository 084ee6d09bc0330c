"""What is known of coming days: holidays of the region, closed days, promotions, events, school."""

from __future__ import annotations

import datetime as dt

from fastapi import APIRouter, Request, Response

from glean.errors import GleanError
from glean.languages.catalogues import translatable
from glean.languages.language import Language
from glean.operations.shop.holiday_region import checked_region, checked_school_region
from glean.shop.parts import Shop
from glean.shop.store.coming import KINDS, ComingDays
from glean.shop.web.forms import Form, Parts, see, text_of
from glean.shop.web.rendering import language_for, page

router = APIRouter()

NAMES = {
    "closed": translatable("closed"),
    "open": translatable("open, though usually closed"),
    "promotion": translatable("promotion"),
    "event": translatable("event"),
    "school": translatable("school holidays"),
}
"""What is known, in the order of the form."""

LISTED_DAYS, LONGEST_DAYS = 60, 120
MOST_PERCENT = 500.0
NOTE_LETTERS = 200


@router.get("/coming")
def show_coming(request: Request, shop: Parts) -> Response:
    """Show what is known, and the form to say more."""
    return _page(request, shop)


@router.post("/coming")
def change_coming(request: Request, shop: Parts, form: Form) -> Response:
    """Keep something, forget something, or choose the region of the holidays."""
    if number := text_of(form, "remove"):
        if number.isdecimal():
            shop.coming.remove(int(number))
        return see("/coming")
    try:
        if "region" in form:
            region = text_of(form, "region")
            shop.choices.put(region=shop.workers.run(checked_region, region) or None)
        elif "school-region" in form:
            region = shop.workers.run(checked_school_region, text_of(form, "school-region"))
            shop.choices.put(**{"school-region": region or None})
        else:
            shop.coming.add(_entered(shop, form, language_for(request)))
    except GleanError as error:
        return _page(request, shop, problem=str(error))
    return see("/coming")


def told_of(shop: Shop, day: dt.date, speaks: Language) -> list[str]:
    """Say what is known of a day, a sentence each: its events and promotions, and why it's open."""
    return [
        _sentence(one, speaks)
        for one in shop.coming.on(day)
        if one.kind in ("event", "promotion", "open")
    ]


def _page(request: Request, shop: Shop, problem: str = "") -> Response:
    speaks, today = language_for(request), shop.today
    last = today + dt.timedelta(days=LISTED_DAYS)
    ahead = shop.planner.ahead()
    listed = [
        (one.first, _span(one, speaks), _sentence(one, speaks), one.id)
        for one in shop.coming.since(today)
    ]
    for text, names in ahead.get("holidays", ()):
        day = dt.date.fromisoformat(text)
        if today <= day <= last:
            listed.append((day, speaks.long_day(day, year=False), names[speaks.code], 0))
    return page(
        request,
        "coming.html",
        listed=sorted(listed),
        kinds=NAMES,
        products=[item["name"] for item in shop.planner.products()],
        last=today + dt.timedelta(days=365),
        region=shop.choices.get("region", ahead.get("region", "")),
        school_region=shop.choices.get("school-region", ""),
        problem=problem,
    )


def _entered(shop: Shop, form: Form, speaks: Language) -> ComingDays:
    """Read the form.

    Raises
    ------
    GleanError
        What was entered can't be meant.
    """
    kind = next((kind for kind in KINDS if kind == text_of(form, "kind")), None)
    first, last = day_of(text_of(form, "first")), day_of(text_of(form, "last"))
    if kind is None or first is None:
        raise GleanError(speaks.translate("Say what is known, and of which day."))
    last = first if last is None else last
    if not shop.today <= first <= last <= first + dt.timedelta(days=LONGEST_DAYS):
        raise GleanError(
            speaks.translate("The days begin today or later, and the last isn't before the first.")
        )
    return ComingDays(
        kind,
        first,
        last,
        text_of(form, "product") if kind in ("promotion", "event") else "",
        _percent(text_of(form, "percent"), speaks) if kind == "event" else 0.0,
        text_of(form, "note")[:NOTE_LETTERS],
    )


def day_of(text: str) -> dt.date | None:
    """Read a day as a browser's field sends it; None where it is none."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def _percent(text: str, speaks: Language) -> float:
    try:
        found = float(text.replace(",", ".").replace("%", "").strip() or 0.0)
    except ValueError:
        found = MOST_PERCENT + 1
    if not -100 <= found <= MOST_PERCENT:
        raise GleanError(
            speaks.translate("How much more is a number of per cent, like 30, or -20 for less.")
        )
    return found


def _span(one: ComingDays, speaks: Language) -> str:
    if one.first == one.last:
        return speaks.long_day(one.first, year=False)
    return speaks.translate(
        "{first} until {last}",
        first=speaks.short_day(one.first),
        last=speaks.short_day(one.last),
    )


def _sentence(one: ComingDays, speaks: Language) -> str:
    parts = [speaks.translate(NAMES[one.kind])]
    if one.product:
        parts.append(one.product)
    if one.percent:
        parts.append(speaks.change(one.percent / 100))
    text = " ".join(parts)
    if not one.note:
        return text
    return speaks.translate("{what}: {note}", what=text, note=one.note)
