"""Only what is baked: a list of products or categories, typed by a person, and what it keeps."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glean.errors import Problem, SalesError
from glean.sales.reading.sheet import Sheet
from glean.sales.typed_lists import names_in, open_list

MOST_NAMED = 8
"""Products that a message lists."""


@dataclass(frozen=True)
class OnlyThese:
    """What is kept.

    Parameters
    ----------
    source : str
        The list, for messages.
    names : tuple of (str, int)
        Products and categories, and the line of each.
    """

    source: str
    names: tuple[tuple[str, int], ...]

    def kept(self, products: Sequence[str], categories: Sequence[str]) -> NDArray[np.bool_]:
        """Mark what is on the list, by product or category, whatever its case.

        Parameters
        ----------
        products : sequence of str
            n names, as sold.
        categories : sequence of str
            Their n categories, "" where there is none.

        Raises
        ------
        SalesError
            Names that match nothing, with near ones.
        """
        wanted = {name.casefold() for name, _ in self.names}
        there = {name.casefold(): name for name in (*categories, *products) if name}
        problems = [
            Problem(self.source, line, "", repr(name), _wanted(name, there))
            for name, line in self.names
            if name.casefold() not in there
        ]
        if problems:
            raise SalesError(problems)
        pairs = zip(products, categories, strict=True)
        return np.array([not wanted.isdisjoint(map(str.casefold, pair)) for pair in pairs], bool)


def read_only_these(path: Path) -> OnlyThese:
    """Read a list: a column `product` or `category` (or both), or one name a line.

    Raises
    ------
    SalesError
        The file can't be read, or has other columns.
    """
    sheet, problems = open_list(path)
    if problems:
        raise SalesError(problems)
    headed = [name for name in ("product", "category") if name in sheet.cells]
    if not headed and len(sheet.cells) != 1:
        found = f"the columns {', '.join(sheet.cells)}"
        wanted = "a column 'product' or 'category', or one name a line"
        raise SalesError([Problem(sheet.source, None, "", found, wanted)])
    names = [pair for name in headed for pair in _named(sheet, name)]
    if not headed:
        (first,) = sheet.cells
        names = [(first, 1), *_named(sheet, first)]
    return OnlyThese(sheet.source, tuple(dict(reversed(names)).items())[::-1])


def _named(sheet: Sheet, column: str) -> list[tuple[str, int]]:
    lines = map(int, sheet.lines)
    return [(name, line) for name, line in zip(names_in(sheet, column), lines, strict=True) if name]


def _wanted(name: str, there: dict[str, str]) -> str:
    near = difflib.get_close_matches(name.casefold(), there, n=3, cutoff=0.6)
    listed = [there[text] for text in near] or sorted(there.values())[:MOST_NAMED]
    more = ", ..." if not near and len(there) > MOST_NAMED else ""
    like = "like" if near else "one of"
    return f"a product or category that is there, {like} {', '.join(listed)}{more}"
