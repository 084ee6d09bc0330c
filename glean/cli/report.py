"""Results in the terminal: the final table, and the path of the report."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console

from glean.cli.tables import final_result
from glean.languages.language import ENGLISH, Language
from glean.operations.report import result_of_run, rewrite_report
from glean.regular_files import absolute_path


def show_results(folder: Path, language: Language = ENGLISH) -> None:
    """Print the final table of a completed run, in a language, and where its report is."""
    console = Console()
    console.print(final_result(result_of_run(folder, language)))
    console.print(f"report: {folder / 'report.html'}", soft_wrap=True, highlight=False)


def show_report(folder: Path, language: Language, *, growth: bool) -> None:
    """Measure what is missing, write the report anew and print the results.

    Raises
    ------
    typer.Exit
        The run failed: its report says why, and so does the terminal.
    """
    folder = absolute_path(folder)
    report = rewrite_report(folder, language, growth=growth, measured=_say_measured)
    if report.failed:
        typer.echo(f"this run failed: {report.reason}\nreport: {report.path}", err=True)
        raise typer.Exit(1)
    show_results(folder, language)


def _say_measured(bakeries: int) -> None:
    noun = "bakery" if bakeries == 1 else "bakeries"
    typer.echo(f"measured with {bakeries} {noun}", err=True)
