"""Voided till lines: the column that marks them, told or found by its name, and what is left."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from glean.sales.importing.exports import Note
from glean.sales.importing.line_kinds import kind_of
from glean.sales.importing.request import Columns, Kind
from glean.sales.reading.checks import Forms
from glean.sales.reading.sheet import Sheet, texts_of
from glean.sales.reading.values import NumberFormat, distinct_of, read_flags

NO_COLUMN = "none"
"""Told in place of a column: every line counts."""

_NAMES = re.compile(r"(is)?(void(ed)?|cancell?ed|stornier(t|ung)|storno|annul(é|ée|e|ation))")


def with_void_column(sheet: Sheet, columns: Columns) -> tuple[Sheet, Columns, list[Note]]:
    """Find the column of voided lines by its name, where none is told.

    Words for a void ("VOID" or nothing) are flags there too. A column of such a name that holds
    neither isn't taken, which the note says.
    """
    if columns.void == NO_COLUMN:
        return sheet, replace(columns, void=""), []
    if columns.void:
        return _with_flags(sheet, columns.void), columns, []
    used = {column for _, column in columns.named()}
    for name in sheet.cells:
        plain = re.sub(r"[\W\d_]+", "", name).casefold()
        if name in used or not _NAMES.fullmatch(plain):
            continue
        sheet = _with_flags(sheet, name)
        if np.isnan(read_flags(sheet.cells[name], NumberFormat(lenient=True))).any():
            words = f"the column {name!r} is named for them but has no flags; not used"
            return sheet, columns, [("voids", words)]
        words = f"found by the name of the column {name!r} (--void {NO_COLUMN}: every line counts)"
        return sheet, replace(columns, void=name), [("voids", words)]
    return sheet, columns, []


def _with_flags(sheet: Sheet, name: str) -> Sheet:
    """Write 1 for words that say void."""
    if name not in sheet.cells:
        return sheet
    codes, distinct = distinct_of(sheet.cells[name])
    flags = texts_of(["1" if kind_of(text) is Kind.VOID else text for text in distinct])
    return replace(sheet, cells=sheet.cells | {name: flags[codes]})


def without_voids(sheet: Sheet, columns: Columns, forms: Forms) -> tuple[Sheet, list[Note]]:
    """Leave out the lines that are marked as voided, and count them."""
    if not columns.void:
        return sheet, []
    voided = read_flags(sheet.cells[columns.void], forms.numbers) == 1
    count = int(voided.sum())
    return sheet.rows(~voided), [("dropped", f"{count:,} voided line{'s' * (count != 1)}")]
