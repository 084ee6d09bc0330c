"""A sales table looked over: what is in it, what is worth a look, and whether it can be used."""

from __future__ import annotations

import datetime as dt
import shlex
from dataclasses import dataclass
from pathlib import Path

from glean.operations.remarks import remarks_of
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
        Whether the file can be used, and what comes next.
    """

    report: Report
    remarks: tuple[str, ...]
    verdict: str


def check_table(path: Path, *, today: dt.date | None = None) -> TableCheck:
    """Look a sales table over; what can't be read is among the problems.

    Parameters
    ----------
    path : Path
        The file.
    today : date, optional
        Later days can't have been sold yet; by default the day it is.
    """
    report = examine(path, today=today)
    return TableCheck(report, tuple(remarks_of(report)), verdict(report))


def verdict(report: Report) -> str:
    """Say in a sentence or two whether the file can be used, and what comes next."""
    if report.problems:
        count = len(report.problems)
        lines = "1 line" if count == 1 else f"{count} lines"
        return f"{report.source} can't be used yet: mend what is listed above ({lines})."
    if not report.has_sales:
        return f"{report.source} can't be used: nothing is sold in it, all units are 0."
    if report.learns:
        return f"{report.source} can be used as it is.{_next_step(report)}"
    return f"{report.source} can be used {_without_learning(report)}"


def _without_learning(report: Report) -> str:
    """Say of a table of short histories what it can be used for."""
    days = report.fitting_test_days
    if not days:
        return (
            f"as it is, but not to learn from: no bakery has {MIN_TRADING_DAYS} trading days "
            "before a test."
        )
    option = f"--set test-days={days}"
    following = _next_step(report, f" {option}") or f" `{option}` leaves them."
    return (
        f"with a shorter test: by default the last {DEFAULT_TEST_DAYS} days are kept for it, and "
        f"no bakery has {MIN_TRADING_DAYS} trading days with sales before them.{following}"
    )


def _next_step(report: Report, options: str = "") -> str:
    """Name the command that comes next; a table of one bakery is for its own machine."""
    if len(report.bakeries) < 2:
        return ""
    return f" Next: glean simulate --sales {shlex.quote(report.source)}{options}"
