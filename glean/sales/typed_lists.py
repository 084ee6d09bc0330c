"""Lists that a person types (products, coming days): opened and read as an export is.

There are no options for them, so what is open is asked for in the file itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from glean.errors import Problem, SalesError
from glean.runs.spreadsheet_cells import unescape_cell
from glean.sales.importing.names import tidy_name
from glean.sales.importing.notation import detect_decimals
from glean.sales.reading.checks import Forms, typed_rows
from glean.sales.reading.sheet import Sheet, Texts, texts_of
from glean.sales.reading.text_files import open_text_sheet
from glean.sales.reading.values import NumberFormat

_SPLIT = re.compile(r"0\d")
_QUOTED = (
    'a number that doesn\'t begin with 0; a comma inside a number goes in quotes, like "0,055"'
)
_WRITTEN_OUT = "a thousand without a mark, like 1200, or fewer than three decimals, like 1.2"


def open_list(path: Path) -> tuple[Sheet, list[Problem]]:
    """Read a list as texts, with the lines that don't fit and the columns that are there twice.

    Raises
    ------
    SalesError
        Nothing of it can be read.
    """
    opened = open_text_sheet(path)
    return opened.sheet, list(opened.problems)


def names_in(sheet: Sheet, column: str) -> Texts:
    """Read the names of a column, each in one spelling."""
    return texts_of([tidy_name(unescape_cell(text.strip())) for text in sheet.cells[column]])


def numbers_in(sheet: Sheet, columns: Sequence[str]) -> tuple[pd.DataFrame, list[Problem]]:
    """Read columns of numbers, each by its own decimal mark; an empty cell is NaN.

    Returns
    -------
    DataFrame
        A row a line; NaN too where a cell has a problem.
    list of Problem
        Cells that are no numbers, and columns whose mark is open.
    """
    try:
        decimals, problems = detect_decimals(sheet, columns), []
    except SalesError as error:
        problems = [
            Problem(found.source, found.line, found.column, found.found, _WRITTEN_OUT)
            for found in error.problems
        ]
        clear = [name for name in columns if name not in {found.column for found in problems}]
        decimals = detect_decimals(sheet, clear)
    by_column = {name: NumberFormat(mark, lenient=True) for name, mark in decimals.items()}
    forms = Forms(numbers=NumberFormat(lenient=True), by_column=by_column)
    frame, unread = typed_rows(sheet, {name: name for name in decimals}, forms)
    return frame.reindex(columns=list(columns)), [
        *problems,
        *unread,
        *_split_numbers(sheet, columns),
    ]


def _split_numbers(sheet: Sheet, columns: Sequence[str]) -> list[Problem]:
    """Find 055, which is what 0,055 leaves behind where commas stand between the cells."""
    problems = []
    for name in columns:
        rows = np.array([_SPLIT.match(text.strip()) is not None for text in sheet.cells[name]])
        problems += sheet.problems_at(np.flatnonzero(rows), name, _QUOTED)
    return problems
