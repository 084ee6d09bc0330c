"""Results in the terminal: the final table, and the path of the report."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console

from glean.cli.tables import final_result
from glean.errors import GleanError
from glean.evaluation.pages.report import write_report
from glean.evaluation.tables.results import read_results
from glean.evaluation.tables.summary import summarise


def show_results(folder: Path) -> None:
    """Print the final table of a completed run and where its report is."""
    results = read_results(folder)
    if results.scores is None:
        raise GleanError(f"{folder} has no bakeries.csv: the run ended before its final test")
    summary = summarise(results.scores, truth=results.truth)
    console = Console()
    console.print(final_result(summary, units_label=results.units_label))
    console.print(f"report: {folder / 'report.html'}", soft_wrap=True, highlight=False)


def show_report(folder: Path, *, growth: bool) -> None:
    """Measure what is missing, write the report anew and print the results.

    Raises
    ------
    typer.Exit
        The run failed: its report says why, and so does the terminal.
    """
    folder = folder.resolve()
    results = read_results(folder)
    if growth and results.run.status == "completed":
        _measure_growth(folder)
    path = write_report(folder)
    if results.run.status == "failed":
        typer.echo(f"this run failed: {results.run.reason}\nreport: {path}", err=True)
        raise typer.Exit(1)
    show_results(folder)


def _measure_growth(folder: Path) -> None:
    if (folder / "growth.csv").exists():
        return
    from glean.client_app import app as client_app
    from glean.evaluation.tables.federation_size import measure_sizes

    for bakeries in measure_sizes(folder, client_app):
        typer.echo(f"measured with {bakeries} bakeries", err=True)
