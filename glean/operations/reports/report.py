"""The final result of a run, and its report page made anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from glean.errors import GleanError
from glean.evaluation.pages.owner_page import write_home_page
from glean.evaluation.tables.own_results import own_results_of_home
from glean.evaluation.tables.plan_savings import HABITS, owner_sentences
from glean.evaluation.tables.weak_spots import better_habit
from glean.federation.server.conclusion import Conclusion, ResultTable, conclusion_of
from glean.languages.language import ENGLISH, Language
from glean.operations.reports.privacy_ledger import budget_in_words
from glean.process_pool import workers_of
from glean.runs.index import read_run
from glean.workloads import DEFAULT_WORKLOAD, WORKLOADS

_CLIENT_APP = "glean.client_app:app"


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


@dataclass(frozen=True)
class HomeReport:
    """The owner's page of a deployed bakery.

    Parameters
    ----------
    path : Path
        The page.
    bakery : str
        Whose it is.
    sentences : tuple of str
        What it leads with.
    """

    path: Path
    bakery: str
    sentences: tuple[str, ...]


def result_of_run(folder: Path, language: Language = ENGLISH) -> ResultTable:
    """Give the final table of a completed run, in a language.

    Raises
    ------
    GleanError
        The folder is no run's, or the run ended before its final test.
    """
    return _conclusion_of(folder).result_table(folder, language)


def report_html(folder: Path, language: Language) -> str:
    """Make the report page of a run, in a language, and write nothing.

    Raises
    ------
    GleanError
        The folder is no run's, or a file is damaged.
    """
    return _conclusion_of(folder).report_html(folder, language)


def rewrite_report(
    folder: Path,
    language: Language = ENGLISH,
    *,
    growth: bool,
    measured: Callable[[int], None],
) -> WrittenReport:
    """Measure what is missing and write the report of a run anew.

    Parameters
    ----------
    folder : Path
        The run's folder.
    language : Language
        Language of the page.
    growth : bool
        Measure what more bakeries bring, unless that was done before; takes minutes.
    measured : callable
        Told after each number of bakeries that was measured.

    Raises
    ------
    GleanError
        The folder is no run's.
    """
    run = read_run(folder)
    conclusion = _conclusion_of(folder)
    workers = workers_of(os.environ)
    if growth and run.status == "completed" and not (folder / "growth.csv").exists():
        conclusion.result_table(folder, language)  # a damaged table is named now, not in minutes
        for bakeries in conclusion.measure_sizes(folder, _CLIENT_APP, workers=workers):
            measured(bakeries)
    path = conclusion.write_report(folder, language)
    return WrittenReport(path, run.status == "failed", run.reason)


def write_home_report(home: Path, language: Language = ENGLISH, *, habit: str = "") -> HomeReport:
    """Write the owner's page of a deployed bakery into its home.

    Parameters
    ----------
    home : Path
        The folder that the bakery's node config names.
    language : Language
        Of the page and the sentences.
    habit : str
        What the plan is compared with: "weekday-mean" or "last-week"; "" takes the closer one.

    Raises
    ------
    GleanError
        It is no home, a file is damaged, or no run has left its results there yet.
    """
    own = own_results_of_home(home)
    usual = habit or better_habit(own.days, HABITS)
    return HomeReport(
        write_home_page(home, language, habit=habit, budget=budget_in_words(home, language)),
        own.bakery,
        tuple(owner_sentences(own, usual, language)),
    )


def write_client_page(folder: Path, client: str, language: Language = ENGLISH) -> Path:
    """Write the page of one client of a completed run, in a language; its path.

    Raises
    ------
    GleanError
        The folder is no run's, the run has no such client, or its workload makes no such pages.
    """
    return _conclusion_of(folder).write_client_page(folder, client, language)


def _conclusion_of(folder: Path) -> Conclusion:
    workload = read_run(folder).settings.get("workload", DEFAULT_WORKLOAD)
    if workload not in WORKLOADS:
        raise GleanError(
            f"{folder}: found the workload {workload!r}; known are {', '.join(WORKLOADS)}. Was the "
            "run made by another version of Glean?"
        )
    return conclusion_of(workload)
