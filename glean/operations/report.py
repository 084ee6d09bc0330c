"""The summary of a run, and its report page made anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from glean.errors import GleanError
from glean.evaluation.pages.report import write_report
from glean.evaluation.tables.results import read_results
from glean.evaluation.tables.summary import Summary, summarise


@dataclass(frozen=True, eq=False)
class RunSummary:
    """What a completed run brought.

    Parameters
    ----------
    folder : Path
        The run's folder.
    summary : Summary
        Scores by method.
    units_label : str
        What the tables count: "units", or money.
    report : Path
        Its report page.
    """

    folder: Path
    summary: Summary
    units_label: str
    report: Path


@dataclass(frozen=True)
class WrittenReport:
    """A report page that was written.

    Parameters
    ----------
    path : Path
        The page.
    failed : bool
        Whether the run failed: then the page says why.
    reason : str
        Why it failed.
    """

    path: Path
    failed: bool
    reason: str


def summarise_run(folder: Path) -> RunSummary:
    """Summarise a completed run.

    Raises
    ------
    GleanError
        The folder is no run's, or the run ended before its final test.
    """
    results = read_results(folder)
    if results.scores is None:
        raise GleanError(f"{folder} has no bakeries.csv: the run ended before its final test")
    summary = summarise(results.scores, truth=results.truth)
    return RunSummary(folder, summary, results.units_label, folder / "report.html")


def rewrite_report(folder: Path, *, growth: bool, measured: Callable[[int], None]) -> WrittenReport:
    """Measure what is missing and write the report of a run anew.

    Parameters
    ----------
    folder : Path
        The run's folder.
    growth : bool
        Measure what more bakeries bring, unless that was done before; takes minutes.
    measured : callable
        Told after each number of bakeries that was measured.

    Raises
    ------
    GleanError
        The folder is no run's.
    """
    results = read_results(folder)
    if growth and results.status == "completed" and not (folder / "growth.csv").exists():
        from glean.client_app import app as client_app
        from glean.evaluation.tables.federation_size import measure_sizes

        for bakeries in measure_sizes(folder, client_app):
            measured(bakeries)
    path = write_report(folder)
    return WrittenReport(path, results.status == "failed", str(results.facts.get("reason")))
