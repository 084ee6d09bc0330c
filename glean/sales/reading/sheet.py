"""A sheet: the cells of a file as text, each row with its line, before anything is believed.

What comes in is bytes (`text_files`, `parquet_files`), what goes out is typed rows (`checks`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from glean.errors import Problem
from glean.languages.catalogues import translatable
from glean.languages.sentences import Sentence
from glean.sales.reading.grid import with_point

Texts = NDArray[np.object_]
"""One column of a sheet: an array of Python strings, "" where nothing stands."""

Rows = NDArray[np.intp]
"""Positions of rows in a sheet, from 0."""

MOST_SHOWN = 20
"""Problems of one kind that are listed one by one; the rest is counted."""

FEW_SHOWN = 3
"""The same of problems that one option settles for all lines."""


@dataclass(frozen=True)
class Parts:
    """Which of several files, or sheets of workbooks, each row comes from.

    Parameters
    ----------
    names : tuple of str
        The parts as messages name them.
    of_row : array of int, shape (n,)
        Position in `names` of each row's part.
    """

    names: tuple[str, ...]
    of_row: NDArray[np.intp]

    def rows(self, kept: NDArray[np.bool_] | Rows) -> Parts:
        """Only some of the rows, by mask or by position."""
        return replace(self, of_row=self.of_row[kept])


@dataclass(frozen=True)
class Sheet:
    """Cells of one file, or of several one below the other, as text.

    Parameters
    ----------
    source : str
        The file as the user named it.
    cells : dict of str to array of str
        Column name -> its n texts, in the order of the file.
    lines : array of int, shape (n,)
        Line of each row in the file, counted from 1 with the header (of a parquet file: the row,
        counted from 1).
    homes : dict of str to array of str
        For a column that was put together from several (a wide file): the column of the file that
        each cell comes from.
    parts : Parts or None
        Where the rows come from, if not all from `source`.
    """

    source: str
    cells: dict[str, Texts]
    lines: NDArray[np.int64]
    homes: dict[str, Texts] = field(default_factory=dict)
    parts: Parts | None = None

    def __len__(self) -> int:
        return len(self.lines)

    def rows(self, kept: NDArray[np.bool_] | Rows) -> Sheet:
        """Only some of the rows, by mask or by position."""
        return replace(
            self,
            cells={name: texts[kept] for name, texts in self.cells.items()},
            lines=self.lines[kept],
            homes={name: texts[kept] for name, texts in self.homes.items()},
            parts=self.parts.rows(kept) if self.parts else None,
        )

    def source_of(self, row: int | np.intp) -> str:
        """Name the file, or the sheet of a workbook, that a row comes from."""
        return self.parts.names[self.parts.of_row[row]] if self.parts else self.source

    def problems_at(
        self, rows: Rows, column: str, wanted: str, *, most: int = MOST_SHOWN
    ) -> list[Problem]:
        """Say of each of these rows what stands in `column`; after `most` they are counted."""
        homes = self.homes.get(column)
        shown = [
            Problem(
                source=self.source_of(row),
                line=int(self.lines[row]),
                column=column if homes is None else str(homes[row]),
                found=quoted(self.cells[column][row]),
                wanted=wanted,
            )
            for row in rows[:most]
        ]
        return shown + self.rest_of(rows, column, wanted, most=most)

    def rest_of(
        self, rows: Rows, column: str, wanted: str, *, most: int = MOST_SHOWN
    ) -> list[Problem]:
        """One problem that counts what is beyond the listed ones; none if all are listed."""
        rest = len(rows) - most
        if rest <= 0:
            return []
        first = rows[most]
        more = translatable("{count} more lines like the ones above, from here on")
        if rest == 1:
            more = translatable("1 more line like the ones above, from here on")
        found = Sentence(more, count=int(rest))
        return [Problem(self.source_of(first), int(self.lines[first]), column, found, wanted)]


def quoted(text: str, most: int = 40) -> str:
    """Show a cell in a message: in quotes, cut to `most` characters, or the word nothing."""
    text = with_point(text)
    if not text.strip():
        return Sentence(translatable("nothing"))
    return repr(text if len(text) <= most else text[:most] + "...")


def texts_of(values: Sequence[str]) -> Texts:
    """Make a column of a sheet from strings."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column
