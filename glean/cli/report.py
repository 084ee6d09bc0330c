"""Results in the terminal: the final table, and the path of the report."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console

from glean.cli.tables import final_result
from glean.errors import GleanError
from glean.languages.language import ENGLISH, Language
from glean.operations.reports.report import result_of_run, rewrite_report, write_home_report
from glean.regular_files import absolute_path
from glean.runs.client_home import bakery_of
from glean.runs.index import is_run


def show_results(folder: Path, language: Language = ENGLISH) -> None:
    """Print the final table of a completed run, in a language, and where its report is."""
    console = Console()
    console.print(final_result(result_of_run(folder, language)))
    console.print(f"report: {folder / 'report.html'}", soft_wrap=True, highlight=False)


def show_report(folder: Path, language: Language, *, growth: bool) -> None:
    """Measure what is missing, write the report anew and print the results.

    Raises
    ------
    GleanError
        The folder is neither a run's nor a bakery's home.
    typer.Exit
        The run failed: its report says why, and so does the terminal.
    """
    folder = absolute_path(folder)
    if folder.is_dir() and not is_run(folder):
        raise GleanError(
            f"{folder}: found neither run.json nor home.json; wanted the folder of a run, like "
            "results/latest, or the home of a bakery that took part in a run to its end"
        )
    report = rewrite_report(folder, language, growth=growth, measured=_say_measured)
    if report.failed:
        typer.echo(f"this run failed: {report.reason}\nreport: {report.path}", err=True)
        raise typer.Exit(1)
    show_results(folder, language)


def show_home_report(home: Path, language: Language, *, bakery: str = "", habit: str = "") -> None:
    """Write the owner's page of a deployed bakery, and print what it leads with.

    Raises
    ------
    GleanError
        The home is another bakery's, or no run has left its results there yet.
    """
    home = absolute_path(home)
    if bakery and bakery != (found := bakery_of(home)):
        raise GleanError(
            f"--bakery: found {bakery!r}; {home} is the home of {found!r}: leave it out"
        )
    report = write_home_report(home, language, habit=habit)
    for sentence in report.sentences:
        typer.echo(sentence)
    typer.echo(f"page of {report.bakery}: {report.path}")


def _say_measured(bakeries: int) -> None:
    noun = "bakery" if bakeries == 1 else "bakeries"
    typer.echo(f"measured with {bakeries} {noun}", err=True)
