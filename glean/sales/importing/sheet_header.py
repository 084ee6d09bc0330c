"""The line with the names of a sheet's columns, wherever it stands, or that of an earlier sheet."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from glean.sales.importing.column_words import hour_columns, is_day, is_number, is_role_word
from glean.sales.reading.grid import Grid

_LOOKED_AT = 40
"""Lines with something in them among which the header is looked for."""


@dataclass(frozen=True)
class Header:
    """Names of the columns of a sheet.

    Parameters
    ----------
    names : tuple of str
        One a column, from the first on; a column without one has its letter, like "(A)".
    row : int or None
        Where it stands in the grid, from 0; None if it stands on another sheet.
    """

    names: tuple[str, ...]
    row: int | None


def find_header(
    grid: Grid, *, told: Collection[str], known: Sequence[tuple[str, ...]]
) -> Header | None:
    """Find the header of a sheet.

    Parameters
    ----------
    grid : Grid
        The sheet.
    told : collection of str
        Columns that options name.
    known : sequence of tuple of str
        Names of the headers of earlier sheets, the latest last.

    Returns
    -------
    Header or None
        Its own, the latest known one if it has none, or None if there isn't any.
    """
    rows = [row for row, cells in enumerate(grid.rows) if any(cells)][:_LOOKED_AT]
    for row in rows:
        names = header_names(grid.rows[row])
        if names in known:
            return Header(names, row)
    best = max(rows, key=lambda row: _likeness(grid.rows[row], told), default=None)
    if best is not None:
        named, words, names_there = _likeness(grid.rows[best], told)
        below = grid.rows[best + 1 :]
        numbers = any(is_number(text) for cells in below for text in cells)
        if named or words or (names_there and numbers and not known):
            return Header(header_names(grid.rows[best]), best)
    return Header(known[-1], None) if known else None


def header_names(cells: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns of a header's line."""
    stripped = [" ".join(text.split()) for text in cells]
    while stripped and not stripped[-1]:
        stripped.pop()
    return tuple(text or nameless(column) for column, text in enumerate(stripped))


def nameless(column: int) -> str:
    """Name a column without a name, from 0, by its letter: "(A)"."""
    return f"({_letters(column)})"


def _likeness(cells: Sequence[str], told: Collection[str]) -> tuple[int, int, int]:
    """How much a line looks like a header: told names, usual names, names; nothing if it isn't."""
    texts = [text.strip() for text in cells if text.strip()]
    hours = hour_columns(texts)
    others = [text for text in texts if text not in hours]
    if len(texts) < 2 or not others or any(is_number(text) or is_day(text) for text in others):
        return (0, 0, 0)
    return (sum(t in told for t in others), sum(map(is_role_word, others)), len(texts))


def _letters(column: int) -> str:
    """Give the letters by which a spreadsheet calls a column, from 0: "A", "B", ..., "AA"."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
