"""Forecasts and plans in the terminal and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from glean.evaluation.pages.bake_plan_page import likely, number
from glean.forecasting.plan import LIKELY, BakePlan
from glean.forecasting.recursive_forecast import ForecastRow

if TYPE_CHECKING:
    import pandas as pd

QUANTILES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.8, 0.9, 0.95, 0.975)
"""Quantiles in the CSV."""

MOST_SHOWN = 60
"""Rows of a forecast that the terminal shows; the CSV has them all."""


def show(table: Table) -> None:
    """Print a table."""
    Console(highlight=False).print(table)


def forecast_frame(rows: Sequence[ForecastRow]) -> pd.DataFrame:
    """Forecast as a table: `date`, `product`, `expected`, quantiles like `q_0.9`, `why`."""
    import pandas as pd

    return pd.DataFrame(
        {
            "date": f"{row.date:%Y-%m-%d}",
            "product": row.product,
            "expected": round(row.units, 3),
            **{
                f"q_{level:g}": round(value, 3)
                for level, value in zip(QUANTILES, row.at(QUANTILES), strict=True)
            },
            "why": "; ".join(str(driver) for driver in row.drivers),
        }
        for row in rows
    )


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


def plan_frame(plan: BakePlan) -> pd.DataFrame:
    """Plan as a table, a row a product."""
    import pandas as pd

    return pd.DataFrame(
        {
            "date": f"{plan.date:%Y-%m-%d}",
            "product": line.product,
            "bake": line.bake,
            "expected": round(line.expected, 2),
            "likely_low": round(line.low, 2),
            "likely_high": round(line.high, 2),
            "critical_ratio": round(line.ratio, 4),
            "left_over": round(line.left_over, 2),
            "missed": round(line.missed, 2),
            "cost": round(line.cost, 2),
            "left_over_kg": round(line.left_over_kg, 3),
            "left_over_co2e_kg": round(line.left_over_co2e_kg, 3),
            "why": line.why,
        }
        for line in plan.products
    )


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
