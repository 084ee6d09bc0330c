"""What the plan brings: against the baker's own habit, week by week, and against a plan alone."""

from __future__ import annotations

import datetime as dt
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from glean.errors import GleanError
from glean.languages.catalogues import translatable
from glean.languages.language import Language
from glean.operations.reports.report_page import home_report_page
from glean.shop.parts import Shop
from glean.shop.web.forms import Form, Parts, see, text_of
from glean.shop.web.rendering import language_for, money_text, page, units_text

router = APIRouter()

HABITS = {
    "weekday-mean": translatable("the mean of the last four same weekdays"),
    "last-week": translatable("what was sold on the same weekday a week before"),
    "baked": translatable("what I really bake, as I enter it after closing"),
}
"""What the plan can be compared with, in the order of the form."""

_LESS = translatable("As it was, the plan left {units} fewer units over than your habit")
_MORE = translatable("As it was, the plan left {units} more units over than your habit")
_AND_LESS = translatable("{first}, and {units} fewer are missed.")
_AND_MORE = translatable("{first}, and {units} more are missed.")


@router.get("/savings")
def show_savings(request: Request, shop: Parts) -> Response:
    """Show what the plan brings; the first time, ask for the habit."""
    speaks, found = language_for(request), shop.savings.values()
    habit = shop.choices.get("habit", "")
    weeks = found.get("weeks", {}).get(habit, [])
    run = found.get("run", {})
    code = speaks.code
    return page(
        request,
        "savings.html",
        habits=HABITS,
        habit=habit,
        weeks=[(dt.date.fromisoformat(week["monday"]), week) for week in weeks],
        lead=[*equal_of(found.get("equal", {}).get(habit), speaks), *lead_of(weeks, shop, speaks)],
        tested=(run.get(habit) or run.get("", {})).get(code, []),
        left=found.get("left", {}).get(code, []),
        stayed=found.get("stayed", {}).get(code, ""),
        budget=found.get("budget", {}).get(code, []),
        priced=any(week["cost"] is not None for week in weeks),
    )


@router.get("/report")
def show_report(request: Request, shop: Parts) -> Response:
    """Show the owner's report of the last run."""
    habit = shop.choices.get("habit", "")
    named = habit if habit in ("weekday-mean", "last-week") else ""
    code = language_for(request).code
    try:
        made = shop.workers.run(home_report_page, shop.settings.home, code, named)
    except GleanError as error:
        raise HTTPException(404) from error
    return HTMLResponse(made)


@router.post("/savings")
def choose_habit(shop: Parts, form: Form) -> Response:
    """Remember what the plan is compared with."""
    habit = text_of(form, "habit")
    if habit in HABITS:
        shop.choices.put(habit=habit)
    return see("/savings")


def equal_of(same: dict[str, float] | None, speaks: Language) -> list[str]:
    """Say what the plan that misses as much as the habit leaves over; nothing where none does."""
    if same is None:
        return []
    return [
        speaks.translate(
            "Missing as much as your habit ({unmet}), the plan leaves {planned} over instead of "
            "{over}.",
            unmet=_whole(same["unmet"], speaks),
            planned=_whole(same["plan_over"], speaks),
            over=_whole(same["over"], speaks),
        )
    ]


def lead_of(weeks: list[dict[str, Any]], shop: Shop, speaks: Language) -> list[str]:
    """Say it of all weeks together, flattering or not; nothing where there is none."""
    if not weeks:
        return []
    over, unmet = (
        sum(week[name] - week[f"plan_{name}"] for week in weeks) for name in ("over", "unmet")
    )
    first = speaks.translate(_LESS if over >= 0 else _MORE, units=_whole(over, speaks))
    said = [
        speaks.translate(
            _AND_LESS if unmet >= 0 else _AND_MORE, first=first, units=_whole(unmet, speaks)
        )
    ]
    known = [week for week in weeks if week["cost"] is not None]
    if known:
        saved = sum(week["cost"] - week["plan_cost"] for week in known)
        words = translatable("In money that is about {money} saved.")
        if saved < 0:
            words = translatable("In money that is about {money} lost.")
        said.append(speaks.translate(words, money=money_text(abs(saved), shop, speaks)))
    return said


def _whole(units: float, speaks: Language) -> str:
    return units_text(round(abs(units)), speaks)
