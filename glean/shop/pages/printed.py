"""The list of a day to print, and as a table for other programs."""

from __future__ import annotations

import csv
import datetime as dt
import io

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from glean.languages.language import Language
from glean.runs.spreadsheet_cells import escape_cell
from glean.shop.pages.coming_days import told_of
from glean.shop.pages.day_list import list_of, summary_of
from glean.shop.parts import Shop
from glean.shop.plans.bake_list import cost_of
from glean.shop.plans.kept_plans import KeptPlan
from glean.shop.plans.wall import wall_sheet
from glean.shop.web.forms import Parts
from glean.shop.web.rendering import language_for

router = APIRouter()

CSV_COLUMNS = (
    "date",
    "product",
    "category",
    "bake",
    "planned",
    "expected",
    "likely_low",
    "likely_high",
    "ordered",
    "left_over",
)
"""`bake` is what the list says in the end; `planned` is before the baker's correction."""


@router.get("/print/{day}")
def show_sheet(request: Request, shop: Parts, day: dt.date) -> Response:
    """Show the sheet for the wall; the browser prints it."""
    return HTMLResponse(printed_day(shop, _plan_of(shop, day), language_for(request)))


@router.get("/csv/{day}")
def give_table(shop: Parts, day: dt.date) -> Response:
    """Give the list as a CSV file."""
    return Response(
        day_as_csv(shop, _plan_of(shop, day)),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="bake-{day}.csv"'},
    )


def printed_day(shop: Shop, plan: KeptPlan, speaks: Language) -> str:
    """Make the sheet of a day, HTML that fits A4."""
    lines = list_of(shop, plan)
    return wall_sheet(
        plan,
        lines,
        speaks,
        remarks=told_of(shop, plan.date, speaks),
        foot=summary_of(cost_of(lines), shop, speaks),
    )


def day_as_csv(shop: Shop, plan: KeptPlan) -> str:
    """Write the list of a day as CSV, with points in its numbers whatever the language."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(CSV_COLUMNS)
    for line in list_of(shop, plan):
        numbers = (
            line.bake,
            line.planned,
            line.plan.expected,
            line.plan.low,
            line.plan.high,
            line.ordered,
            line.left_over,
        )
        names = (escape_cell(line.product), escape_cell(line.plan.category))
        rows.writerow([f"{plan.date}", *names, *(f"{value:g}" for value in numbers)])
    return written.getvalue()


def _plan_of(shop: Shop, day: dt.date) -> KeptPlan:
    plan = shop.plans.of(day)
    if plan is None:
        raise HTTPException(404)
    return plan
