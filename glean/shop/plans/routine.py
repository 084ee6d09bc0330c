"""Every morning by itself: the newest export is read, the plan made, and printed where asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from glean.errors import GleanError
from glean.languages.catalogues import translatable
from glean.languages.language import ENGLISH
from glean.shop.pages.day_list import days_to_bake, list_of
from glean.shop.pages.printed import printed_day
from glean.shop.parts import Shop
from glean.shop.plans.kept_plans import KeptPlan
from glean.shop.plans.paper import list_on_paper, print_document
from glean.shop.plans.planner import lines_of
from glean.shop.plans.sheet_pdf import sheet_as_pdf
from glean.shop.store.mornings import Morning

TIME, PRINTS, PRINTER = "morning-time", "morning-prints", "morning-printer"
"""Choices: "04:30", whether it is printed, and by which printer."""

FRESH = dt.timedelta(days=1)
"""An export older than that isn't yesterday's."""

STEPS = {
    "export": translatable("The newest export wasn't read."),
    "plan": translatable("No new plan could be made."),
    "print": translatable("The plan wasn't printed."),
}
"""What a step that failed is called at the top of the page."""


def claim_if_due(shop: Shop) -> bool:
    """Say whether it is time and today's hasn't been, and claim it: only one page goes through it.

    One that was slept through is made up for.
    """
    time = shop.choices.get(TIME, "")
    if not time:
        return False
    now = shop.clock()
    return now.strftime("%H:%M") >= time and shop.mornings.claim(now)


def go_through(shop: Shop) -> Morning:
    """Do what a morning does, each step whatever became of the one before; what failed is kept."""
    steps: tuple[tuple[str, Callable[[Shop], None]], ...] = (
        ("export", _read_export),
        ("plan", _plan),
        ("print", _print),
    )
    failed = []
    for name, step in steps:
        try:
            step(shop)
        except GleanError as error:
            failed.append((name, lines_of(error)))
    now = shop.clock()
    morning = Morning(now.date(), now, tuple(failed))
    shop.mornings.note(morning)
    return morning


def _read_export(shop: Shop) -> None:
    folder = shop.choices.get("exports-folder", "")
    if not folder:
        return
    read = shop.till.look_into(Path(folder), wait=False)
    last = read or next(iter(shop.exports.last(1)), None)
    if read is not None and not read.ok:
        return  # an export that can't be read is told by itself
    if last is None or shop.clock() - last.at > FRESH:
        raise GleanError(f"found no new export in {folder}")


def _plan(shop: Shop) -> None:
    # A table that can't be read is said of the plan, which is made of it.
    with suppress(GleanError):
        shop.till.look()
        shop.till.bring_times()
    failed = shop.planner.make().failed
    if failed:
        raise GleanError("\n".join(failed))


def _print(shop: Shop) -> None:
    if not shop.choices.get(PRINTS, False):
        return
    days = days_to_bake(shop)
    plan = shop.plans.of(days[0]) if days else None
    if plan is None:
        raise GleanError("found no plan to print")
    print_document(
        _document(shop, plan), f"{plan.bakery} {plan.date}", shop.choices.get(PRINTER, "")
    )


def _document(shop: Shop, plan: KeptPlan) -> bytes:
    """Make the sheet for the wall, where a browser is there to make a PDF of it, or a text."""
    speaks = shop.settings.language or ENGLISH
    pdf = sheet_as_pdf(printed_day(shop, plan, speaks), shop.settings.folder)
    return pdf or list_on_paper(plan, list_of(shop, plan), speaks).encode()
