"""What an import says at its end: how the file was read, what was dropped, what the table holds."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from glean.sales.importing.import_sales import Imported
from glean.sales.quality.histories import short_histories

MOST_NAMED = 5
"""Bakeries that are named before the rest is counted."""


def summary_lines(imported: Imported, out: Path) -> Iterator[str]:
    """Lines for the terminal."""
    for label, text in imported.notes:
        yield f"{label:<11} {text}"
    rows = imported.table.rows
    first, last = rows["date"].min().date(), rows["date"].max().date()
    yield f"{'kept':<11} {len(rows):,} rows, {first} to {last}"
    yield f"{'bakeries':<11} {_named(imported.table.bakeries)}"
    yield f"{'products':<11} {_named(tuple(sorted(rows['product'].unique())))}"
    short = short_histories(imported.table)
    for history in short[:MOST_NAMED]:
        yield f"{'short':<11} {history}"
    if len(short) > MOST_NAMED:
        yield f"{'short':<11} {len(short) - MOST_NAMED} more bakeries with as few days"
    yield f"{'written':<11} {out}"
    yield f"{'next':<11} glean data check {shlex.quote(str(out))}"


def _named(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:MOST_NAMED])
    rest = len(names) - MOST_NAMED
    return f"{len(names)}: {shown}" + (f" and {rest} more" if rest > 0 else "")
