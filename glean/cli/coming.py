"""`--coming FILE`: what a baker knows of coming days, and what a forecast would like to know."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from glean.forecasting.context import ForecastContext
    from glean.sales.known_future import KnownFuture

Coming = Annotated[
    Path | None,
    typer.Option(
        help="What is known of the coming days: promotion, price, weather, closed days, ..."
    ),
]

TAKEN = {"promotion": "none", "price": "the last one"}
"""What is taken for granted where nothing is told, if the sales have the column."""


def told_in(path: Path | None, opened: ForecastContext) -> KnownFuture:
    """Read the file of coming days of an opened bakery; none tells nothing."""
    from glean.forecasting.future_rows import days_ahead, products_ahead
    from glean.forecasting.inputs import inputs_of
    from glean.forecasting.predict import definition_of
    from glean.sales.known_future import NOTHING_TOLD, read_told_days

    if path is None:
        return NOTHING_TOLD
    return read_told_days(
        path,
        days=days_ahead(opened.today),
        products=products_ahead(opened.table, today=opened.today),
        inputs=inputs_of(definition_of(opened.own.shared)),
    )


def say_what_is_not_told(opened: ForecastContext, told: KnownFuture) -> None:
    """Name on stderr what the forecast goes by and wasn't told, if there is any."""
    from glean.forecasting.inputs import unknown_inputs

    models = [model for _, model in opened.own.mixture()]
    rows = opened.table.rows
    names = unknown_inputs(models, rows, told, region=opened.region)
    if names:
        listed = ", ".join(
            f"{name} (taken as {TAKEN[name]})" if name in TAKEN and name in rows else name
            for name in names
        )
        typer.echo(
            f"Not told of the coming days, though the forecast goes by it: {listed}; "
            "--coming FILE tells it.",
            err=True,
        )
