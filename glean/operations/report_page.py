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
    from glean.operations.report import report_html

    return report_html(folder, language(code))
