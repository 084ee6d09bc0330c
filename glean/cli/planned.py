"""Forecasts and plans in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from glean.evaluation.pages.bake_plan_page import likely, number
from glean.forecasting.plan import LIKELY, BakePlan
from glean.forecasting.recursive_forecast import ForecastRow

MOST_SHOWN = 60
"""Rows of a forecast that the terminal shows; the CSV has them all."""


def show(table: Table) -> None:
    """Print a table."""
    Console(highlight=False).print(table)


def forecast_table(rows: Sequence[ForecastRow], *, bakery: str) -> Table:
    """Forecast for the terminal: a line a day and product."""
    table = Table(title=f"{bakery}: the coming days", title_justify="left")
    for name in ("day", "product", "expected", "likely", "why"):
        table.add_column(name, justify="right" if name in ("expected", "likely") else "left")
    for row in rows[:MOST_SHOWN]:
        low, high = row.between(*LIKELY)
        why = ", ".join(str(driver) for driver in row.drivers)
        table.add_row(
            f"{row.date:%a} {row.date.day} {row.date:%b}",
            Text(row.product),
            number(row.units),
            likely(low, high),
            Text(why),
        )
    if len(rows) > MOST_SHOWN:
        table.caption = f"and {len(rows) - MOST_SHOWN} more lines in the CSV"
    return table


def plan_table(plan: BakePlan) -> Table:
    """Plan for the terminal: a line a product."""
    title = f"{plan.bakery}: bake for {plan.date:%A} {plan.date.day} {plan.date:%B %Y}"
    table = Table(title=title, title_justify="left")
    for name in ("product", "bake", "likely asked for", "why"):
        table.add_column(name, justify="left" if name in ("product", "why") else "right")
    for line in plan.products:
        table.add_row(
            Text(line.product),
            Text(number(line.bake), style="bold"),
            likely(line.low, line.high),
            Text(line.why),
        )
    return table
