"""Texts in CSV files that people open in a spreadsheet, which takes some of them for formulas.

A cell that begins with one of = + - @ (or a tab or a carriage return, which spreadsheets skip) is
computed, and can fetch from the network or start a program. An apostrophe before it makes it text.
What Glean reads back loses that apostrophe again, so that every name comes back as it was.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_MEANT_AS_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_ESCAPED = re.compile(r"'+[=+\-@\t\r]")
_FIRST = frozenset("'=+-@\t\r")


def escape_cell(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would compute.

    Examples
    --------
    >>> escape_cell("=1+1"), escape_cell("'=1+1"), escape_cell("Baguette")
    ("'=1+1", "''=1+1", 'Baguette')
    """
    return f"'{text}" if text[:1] in _FIRST and _MEANT_AS_FORMULA.match(text) else text


def unescape_cell(text: str) -> str:
    """Give the text that `escape_cell` was given.

    Examples
    --------
    >>> unescape_cell("'=1+1"), unescape_cell("l'Atelier"), unescape_cell("'s Brood")
    ('=1+1', "l'Atelier", "'s Brood")
    """
    return text[1:] if text[:1] == "'" and _ESCAPED.match(text) else text


def to_spreadsheet_csv(frame: pd.DataFrame, *, float_format: str | None = None) -> str:
    """Write a table as CSV with its texts escaped; days like 2019-07-01.

    Parameters
    ----------
    frame : DataFrame
        Its columns' names are Glean's own; its texts may be anybody's.
    float_format : str, optional
        How numbers are written, like "%.6g"; by default with all their digits.
    """
    escaped = {name: _escaped(frame[name]) for name in frame if _has_text(frame[name])}
    return frame.assign(**escaped).to_csv(  # type: ignore[arg-type]
        index=False, lineterminator="\n", date_format="%Y-%m-%d", float_format=float_format
    )


def _has_text(column: pd.Series) -> bool:
    # Here, since whoever only reads run folders does without pandas and its memory.
    from pandas.api import types

    return not (types.is_numeric_dtype(column.dtype) or types.is_datetime64_any_dtype(column.dtype))


def _escaped(column: pd.Series) -> list[object]:
    return [escape_cell(cell) if isinstance(cell, str) else cell for cell in column]
