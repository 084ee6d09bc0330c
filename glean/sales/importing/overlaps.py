"""Blocks of lines that stand twice: two exports that overlap, put below one another.

A line that is repeated on a ticket is a sale more, so that single lines say nothing. A run of lines
that comes again in the same order, after its days were over, is the same sales exported twice.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.errors import Problem, SalesError
from glean.languages.catalogues import translatable
from glean.languages.sentences import Sentence
from glean.sales.importing.exports import Note
from glean.sales.reading.checks import Forms
from glean.sales.reading.sheet import Sheet

OVERLAPS = ("drop", "keep")
"""What can be done with lines that stand twice: count them once, or each."""

FEWEST_LINES = 4
"""Fewer lines in a row may come again by chance."""

FEWEST_KINDS = 16
"""A day of so many different lines, each an even number of times, stands twice: 1 in 65,536."""


def settle_overlaps(
    sheet: Sheet, column: str, forms: Forms, choice: str
) -> tuple[Sheet, list[Note]]:
    """Find lines that stand twice, and do what is told by `choice` of `OVERLAPS`.

    Parameters
    ----------
    sheet : Sheet
        Till lines, with all the columns of the export.
    column : str
        Column of dates.
    forms : Forms
        How they are written.
    choice : str
        "" to be asked.

    Raises
    ------
    SalesError
        Days stand twice, and nobody said what to do.
    """
    if choice == "keep":
        return sheet, []
    days = forms.days(sheet.cells[column])
    again = standing_twice(sheet, days)
    if not again.any():
        return sheet, []
    twice = np.unique(days[again & ~np.isnat(days)].astype("datetime64[D]"))
    count = f"{len(twice)} day{'s' * (len(twice) != 1)}"
    spoken = f"{count} ({twice[0]} to {twice[-1]})" if len(twice) > 1 else f"{count} ({twice[0]})"
    if choice == "drop":
        words = f"{int(again.sum()):,} lines of {spoken} that stood twice"
        return sheet.rows(~again), [("dropped", words)]
    first = int(np.flatnonzero(again)[0])
    several = translatable(
        "{days} days ({first} to {last}) that stand twice, {lines} lines from here on"
    )
    one = translatable("1 day ({first}) that stand twice, {lines} lines from here on")
    found = Sentence(
        one if len(twice) == 1 else several,
        days=len(twice),
        first=f"{twice[0]}",
        last=f"{twice[-1]}",
        lines=int(again.sum()),
    )
    wanted = Sentence(
        translatable(
            "each sale once, as where two exports overlap; count these lines once by "
            "--overlap drop, or each of them by --overlap keep"
        )
    )
    raise SalesError([Problem(sheet.source_of(first), int(sheet.lines[first]), "", found, wanted)])


def standing_twice(sheet: Sheet, days: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    """Mark the lines that belong to a block which stands there already.

    Parameters
    ----------
    sheet : Sheet
        n lines.
    days : array of datetime64, shape (n,)
        Their days.
    """
    line = _same_lines(sheet)
    part = np.zeros(len(sheet), dtype=np.intp) if sheet.parts is None else sheet.parts.of_row
    new = (days[1:] != days[:-1]) | (part[1:] != part[:-1])
    rows = pd.DataFrame({"line": line, "stretch": np.append(0, np.cumsum(new))})
    # The second of two same lines on a ticket is the second in the copy, too.
    of_line = rows.groupby(["stretch", "line"])
    rows["nth"] = of_line.cumcount()
    rows["row"] = np.arange(len(rows))
    distance = rows["row"] - rows.groupby(["line", "nth"])["row"].shift()
    run = (distance != distance.shift()).cumsum()
    length = run.groupby(run).transform("size")
    in_block = (length >= FEWEST_LINES) & (length <= distance)
    even = of_line["row"].transform("size") % 2 == 0
    of_day = rows.groupby("stretch")
    doubled = even.groupby(rows["stretch"]).transform("all")
    doubled &= of_day["line"].transform("nunique") >= FEWEST_KINDS
    return (in_block | (doubled & (rows["nth"] % 2 == 1))).to_numpy()


def repeated_lines(sheet: Sheet) -> int:
    """Count the lines that are the same as an earlier one, in all of their columns."""
    return len(sheet) - len(np.unique(_same_lines(sheet)))


def _same_lines(sheet: Sheet) -> NDArray[np.intp]:
    """Give each line a number, the same ones the same."""
    codes = pd.DataFrame({name: pd.factorize(texts)[0] for name, texts in sheet.cells.items()})
    return codes.groupby(list(codes.columns), sort=False).ngroup().to_numpy().astype(np.intp)
