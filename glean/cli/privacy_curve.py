"""`glean privacy-curve`: what noise costs, by epsilon."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from glean.cli.errors import friendly_errors
from glean.cli.signals import ended_by_signals
from glean.cli.tables import final_result
from glean.cli.typed_settings import typed_settings
from glean.cli.workers import Workers, share_work_out

if TYPE_CHECKING:
    import pandas as pd


@friendly_errors()
def privacy_curve(
    bakeries: Annotated[
        list[int] | None,
        typer.Option(
            min=1, help="How many, the first by name; may be repeated (default: all of a table)."
        ),
    ] = None,
    sales: Annotated[
        Path | None, typer.Option(help="Sales table; without it the bakeries are synthetic.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Run config; may be repeated."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from the setting's on.")] = 10,
    out: Annotated[
        Path | None, typer.Option(help="Folder for results.", show_default="results")
    ] = None,
    workers: Workers = 0,
) -> None:
    """Measure what noise costs: error by epsilon, beside sums without noise (minutes a seed)."""
    share_work_out(workers)
    from glean.operations.reports.privacy_curve import prepare_curve, run_curve

    given = typed_settings(set_ or [], sales=sales)
    prepared = prepare_curve(given, bakeries=bakeries or (), seeds=seeds, results=out)
    with ended_by_signals():
        written = run_curve(prepared, _say_measured)
    console = Console()
    for table in written.tables:
        console.print(final_result(table))
    for path in written.paths:
        console.print(str(path), soft_wrap=True, highlight=False)


def _say_measured(row: pd.Series) -> None:
    epsilon = f"epsilon {row['epsilon']:g}" if row["privacy"] == "noise" else row["privacy"]
    typer.echo(
        f"{row['bakeries']} bakeries, seed {row['seed']}, {epsilon}: "
        f"shared model {row['wape_federated']:.2%}, chosen {row['wape_chosen']:.2%}",
        err=True,
    )
