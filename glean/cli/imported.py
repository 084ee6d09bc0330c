"""What an import says: how the file was read, what the table holds, what's next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from glean.operations.tables.import_sales import ImportReport

MOST_NAMED = 5
"""Bakeries that are named before the rest is counted."""


def summary_lines(report: ImportReport) -> Iterator[str]:
    """Lines to read before the table is written."""
    for label, text in report.notes:
        yield f"{label:<11} {text}"
    rows = f"{len(report.table.rows):,} rows"
    yield f"{'kept':<11} {rows}, {report.first_day} to {report.last_day}"
    yield f"{'bakeries':<11} {_named(report.table.bakeries)}"
    yield f"{'products':<11} {_named(report.products)}"
    for history in report.short[:MOST_NAMED]:
        yield f"{'short':<11} {history}"
    if len(report.short) > MOST_NAMED:
        yield f"{'short':<11} {len(report.short) - MOST_NAMED} more bakeries with as few days"


def closing_lines(report: ImportReport) -> Iterator[str]:
    """Lines to read once it is."""
    yield f"{'written':<11} {report.out}"
    if report.layout is not None and report.new_layout:
        words = "(--layout in place of the other options reads the next export like this one)"
        yield f"{'layout':<11} {report.layout} {words}"
    yield f"{'next':<11} glean data check {shlex.quote(str(report.out))}"


def _named(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:MOST_NAMED])
    rest = len(names) - MOST_NAMED
    return f"{len(names)}: {shown}" + (f" and {rest} more" if rest > 0 else "")
