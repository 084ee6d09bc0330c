"""A run's report as a page in a language, for whoever doesn't load pandas and Flower itself."""

from __future__ import annotations

from pathlib import Path

from glean.languages.language import LanguageCode, language


def report_page(folder: Path, code: LanguageCode) -> str:
    """Make the report page of a run and write nothing.

    Parameters
    ----------
    folder : Path
        The run's folder.
    code : str
        Language of the page: one of `LANGUAGES`.

    Raises
    ------
    GleanError
        The folder is no run's, or a file is damaged.
    """
    from glean.operations.reports.report import report_html

    return report_html(folder, language(code))


def home_report_page(home: Path, code: LanguageCode, habit: str = "") -> str:
    """Make the owner's page of a deployed bakery and write nothing.

    Parameters
    ----------
    home : Path
        The bakery's home.
    code : str
        Language of the page: one of `LANGUAGES`.
    habit : str
        What the plan is compared with; "" takes the habit that was closer on the test days.

    Raises
    ------
    GleanError
        Nothing of a run is in it yet, or a file is damaged.
    """
    from glean.evaluation.pages.owner_page import owner_page
    from glean.evaluation.tables.own_results import own_results_of_home
    from glean.operations.reports.privacy_ledger import budget_in_words

    speaks = language(code)
    budget = budget_in_words(home, speaks)
    return owner_page(own_results_of_home(home), speaks, habit=habit, budget=budget)
