"""Results in the terminal: the final table, and the path of the report."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console

from glean.cli.tables import final_result
from glean.errors import GleanError
from glean.federation.server.conclusion import Conclusion, conclusion_of
from glean.runs.index import read_run
from glean.workloads import DEFAULT_WORKLOAD, WORKLOADS


def show_results(folder: Path) -> None:
    """Print the final table of a completed run and where its report is."""
    console = Console()
    console.print(final_result(_conclusion_of(folder).result_table(folder)))
    console.print(f"report: {folder / 'report.html'}", soft_wrap=True, highlight=False)


def show_report(folder: Path, *, growth: bool) -> None:
    """Measure what is missing, write the report anew and print the results.

    Raises
    ------
    typer.Exit
        The run failed: its report says why, and so does the terminal.
    """
    folder = folder.resolve()
    run = read_run(folder)
    if growth and run.status == "completed":
        _measure_growth(folder)
    path = _conclusion_of(folder).write_report(folder)
    if run.status == "failed":
        typer.echo(f"this run failed: {run.reason}\nreport: {path}", err=True)
        raise typer.Exit(1)
    show_results(folder)


def _conclusion_of(folder: Path) -> Conclusion:
    workload = read_run(folder).settings.get("workload", DEFAULT_WORKLOAD)
    if workload not in WORKLOADS:
        raise GleanError(
            f"{folder}: found the workload {workload!r}; known are {', '.join(WORKLOADS)}. Was the "
            "run made by another version of Glean?"
        )
    return conclusion_of(workload)


def _measure_growth(folder: Path) -> None:
    if (folder / "growth.csv").exists():
        return
    from glean.client_app import app as client_app
    from glean.evaluation.tables.federation_size import measure_sizes

    for bakeries in measure_sizes(folder, client_app):
        typer.echo(f"measured with {bakeries} bakeries", err=True)
