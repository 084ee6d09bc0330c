"""Forecasts and plans in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from glean.evaluation.pages.wall_words import likely, number, plan_heads
from glean.forecasting.plan import LIKELY, BakePlan
from glean.forecasting.recursive_forecast import ForecastRow
from glean.languages.language import Language

MOST_SHOWN = 60
"""Rows of a forecast that the terminal shows; the CSV has them all."""


def show(table: Table) -> None:
    """Print a table."""
    Console(highlight=False).print(table)


def forecast_table(rows: Sequence[ForecastRow], language: Language, *, bakery: str) -> Table:
    """Forecast for the terminal: a line a day and product."""
    title = language.translate("{bakery}: the coming days", bakery=bakery)
    table = Table(title=Text(title), title_justify="left")
    table.add_column(language.translate("day"))
    table.add_column(language.translate("product"))
    table.add_column(language.translate("expected"), justify="right")
    table.add_column(language.translate("likely"), justify="right")
    table.add_column(language.translate("why"))
    for row in rows[:MOST_SHOWN]:
        low, high = row.between(*LIKELY)
        table.add_row(
            f"{language.weekday(row.date, short=True)} {language.short_day(row.date)}",
            Text(row.product),
            number(row.units, language),
            likely(low, high, language),
            Text(", ".join(driver.in_numbers(language) for driver in row.drivers)),
        )
    if len(rows) > MOST_SHOWN:
        table.caption = language.translate_count(
            "and {count} more line in the CSV",
            "and {count} more lines in the CSV",
            len(rows) - MOST_SHOWN,
        )
    return table


def plan_table(plan: BakePlan, language: Language) -> Table:
    """Plan for the terminal: a line a product."""
    title = language.translate(
        "{bakery}: bake for {day}", bakery=plan.bakery, day=language.long_day(plan.date)
    )
    table = Table(title=Text(title), title_justify="left")
    for place, name in enumerate(plan_heads(language)):
        table.add_column(name, justify="right" if place in (1, 2) else "left")
    for line in plan.products:
        table.add_row(
            Text(line.product),
            Text(number(line.bake, language), style="bold"),
            likely(line.low, line.high, language),
            Text(line.why(language)),
        )
    return table
