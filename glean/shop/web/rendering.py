"""Templates become pages, in the language of the shop or of the browser."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from glean.languages.catalogues import translatable
from glean.languages.language import Language
from glean.shop.parts import Shop, shop_of
from glean.shop.plans.told_problems import line_in
from glean.shop.web.menu import TABS
from glean.shop.web.static_files import FILES
from glean.web.accepted_language import language_for as language_by_browser
from glean.web.templates import template_environment

TEMPLATES = Path(__file__).parent / "templates"

_ENVIRONMENT = template_environment(TEMPLATES, {"static": FILES.url_of, "tabs": TABS})


def language_for(request: Request) -> Language:
    """Choose the language: the browser's choice, or the shop's, or what the browser accepts."""
    return language_by_browser(request, shop_of(request).settings.language)


def page(
    request: Request, template: str, *, status: HTTPStatus = HTTPStatus.OK, **values: Any
) -> HTMLResponse:
    """Make a page.

    Parameters
    ----------
    request : Request
        Who asks, by whose language.
    template : str
        Its file.
    status : HTTPStatus
        Of the answer.
    **values
        What the template names.
    """
    shop, speaks = shop_of(request), language_for(request)
    content = _ENVIRONMENT.get_template(template).render(
        bakery=shop_name(shop),
        path=request.url.path,
        language=speaks,
        gettext=speaks.gettext,
        ngettext=speaks.ngettext,
        _=speaks.gettext,
        units=lambda value: units_text(value, speaks),
        money=lambda value: money_text(value, shop, speaks),
        today=shop.today,
        fit=fitting_class,
        alerts=alerts_of(shop, speaks),
        **values,
    )
    return HTMLResponse(content, status, {"Vary": "Cookie, Accept-Language"})


def fitting_class(name: str) -> str:
    """Name the size of type in which the longest word of a product fits a phone, unbroken.

    Examples
    --------
    >>> fitting_class("Dark rye"), fitting_class("Vollkornbrötchen")
    ('', 'longer')
    """
    longest = max(map(len, name.replace("-", "- ").split()), default=0)
    return next((size for letters, size in _SIZES if longest > letters), "")


_SIZES = ((18, "longest"), (15, "longer"), (12, "long"))
"""Letters of a word beyond which it is set smaller."""


def shop_name(shop: Shop) -> str:
    """Give the bakery's name, as far as it is known."""
    if shop.settings.bakery:
        return shop.settings.bakery
    for day in reversed(shop.plans.days()):
        if plan := shop.plans.of(day):
            return plan.bakery
    return ""


def units_text(value: float, speaks: Language) -> str:
    """Write units as one says them: whole, or with a tenth where there are tenths."""
    return speaks.number(value, 0 if value >= 100 or abs(value - round(value)) < 0.05 else 1)


def money_text(value: float, shop: Shop, speaks: Language) -> str:
    """Write money, in whole units of the currency from ten on."""
    currency = shop.choices.get("currency", "€")
    return f"{speaks.number(value, 0 if abs(value) >= 10 else 2)}\N{NO-BREAK SPACE}{currency}"


TOLD_FOR = dt.timedelta(hours=18)
"""For so long a bad export is told at the top of all pages, unless a good one follows."""

MOST_LINES = 3

FAILED_STEPS = {
    "export": translatable("This morning the newest export wasn't read."),
    "print": translatable("This morning the plan wasn't printed."),
}


def alerts_of(shop: Shop, speaks: Language) -> Sequence[tuple[str, Sequence[str]]]:
    """Say what went wrong since, for the top of each page: a sentence, and lines below it."""
    found: list[tuple[str, Sequence[str]]] = []
    if failed := shop.planner.state.failed:
        found.append(
            (speaks.translate("No new plan could be made."), [one for one in failed if one])
        )
    if failed := shop.till.folder_failed:
        found.append((speaks.translate("The folder of exports can't be looked into."), failed))
    last = next(iter(shop.exports.last(1)), None)
    if last is not None and not last.ok and shop.clock() - last.at < TOLD_FOR:
        sentence = speaks.translate("The last export couldn't be read: {name}.", name=last.name)
        lines = [line_in(line, speaks) for line in last.told["lines"][:MOST_LINES]]
        found.append((sentence, lines))
    morning = shop.mornings.last()
    if morning is not None and morning.day == shop.today:
        # A plan that fails to this hour stands there already.
        steps = [each for each in morning.failed if each[0] in FAILED_STEPS]
        found += [(speaks.translate(FAILED_STEPS[step]), lines) for step, lines in steps]
    return found
