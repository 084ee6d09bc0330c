"""A sales table looked over: what is in it, what is worth a look, and whether it can be used."""

from __future__ import annotations

import datetime as dt
import shlex
from dataclasses import dataclass
from pathlib import Path

from glean.languages.language import ENGLISH, Language
from glean.operations.tables.remarks import remarks_of
from glean.sales.quality.data_check import examine
from glean.sales.quality.health import DEFAULT_TEST_DAYS, Report
from glean.sales.windows import MIN_TRADING_DAYS


@dataclass(frozen=True, eq=False)
class TableCheck:
    """What a check found.

    Parameters
    ----------
    report : Report
        Bakeries, products and problems.
    remarks : tuple of str
        Sentences about what is worth a look, the gravest kinds first.
    verdict : str
        Whether the file can be used.
    next_step : str
        The command that comes next; empty where none does.
    """

    report: Report
    remarks: tuple[str, ...]
    verdict: str
    next_step: str


def check_table(
    path: Path, *, today: dt.date | None = None, language: Language = ENGLISH
) -> TableCheck:
    """Look a sales table over; what can't be read is among the problems, in English.

    Parameters
    ----------
    path : Path
        The file.
    today : date, optional
        Later days can't have been sold yet; by default the day it is.
    language : Language
        Of the remarks and the verdict.
    """
    report = examine(path, today=today)
    return TableCheck(
        report,
        remarks=tuple(remarks_of(report, language)),
        verdict=verdict(report, language),
        next_step=next_step(report, language),
    )


def verdict(report: Report, language: Language = ENGLISH) -> str:
    """Say in a sentence or two whether the file can be used."""
    file = report.source
    if report.problems:
        return language.translate_count(
            "{file} can't be used yet: mend what is listed above ({count} line).",
            "{file} can't be used yet: mend what is listed above ({count} lines).",
            len(report.problems),
            file=file,
        )
    if not report.has_sales:
        return language.translate(
            "{file} can't be used: nothing is sold in it, all units are 0.", file=file
        )
    if report.learns:
        return language.translate("{file} can be used as it is.", file=file)
    return _without_learning(report, language)


def next_step(report: Report, language: Language = ENGLISH) -> str:
    """Name the command that comes next, if any; a table of one bakery is for its own machine."""
    days = 0 if report.learns else report.fitting_test_days
    if not report.usable or len(report.bakeries) < 2 or not (report.learns or days):
        return ""
    option = f" --set test-days={days}" if days else ""
    command = f"glean simulate --sales {shlex.quote(report.source)}{option}"
    return language.translate("Next: {command}", command=command)


def _without_learning(report: Report, language: Language) -> str:
    """Say of a table of short histories what it can be used for."""
    days = report.fitting_test_days
    if not days:
        return language.translate(
            "{file} can be used as it is, but not to learn from: no bakery has {fewest} trading "
            "days before a test.",
            file=report.source,
            fewest=MIN_TRADING_DAYS,
        )
    setting = f"test-days={days}"
    return language.translate(
        "{file} can be used with a shorter test: by default the last {kept} days are kept for it, "
        "and no bakery has {fewest} trading days with sales before them. The setting {setting} "
        "leaves them.",
        file=report.source,
        kept=DEFAULT_TEST_DAYS,
        fewest=MIN_TRADING_DAYS,
        setting=setting,
    )
