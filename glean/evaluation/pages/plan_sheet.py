"""How large the type of a printed plan is, so that it stays on one sheet of A4, in any language.

In come the words of the page; out come sizes and widths of columns. What a word needs is estimated
for a wide typeface (DejaVu Sans), as nobody knows which one a bakery's computer has.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

SHEET_MM = 273.0
"""Height of A4 within its margins."""

WIDTH_MM = 186.0

POINT_MM = 0.3528

SIZES_PT = (27.0, 24.0, 21.5, 19.0, 17.0, 15.0, 13.5, 12.0)
"""Sizes of the quantities that are tried; the rest goes with them."""

READABLE_PT = 17.0
"""Before quantities are smaller than this, a page rather names fewer reasons."""

_EM, _BOLD_EM = 0.6, 0.69
"""Mean widths of a letter, in its size."""

_PADDING_MM = 4.0
"""Left and right of a cell, together."""

_TABLE_HEAD_MM, _WEEK_MM = 9.5, 50.0
_TITLE_PT, _BESIDE_TITLE_PT, _GAPS_MM = 34.0, 15.0, 12.0
_HEADING_MM, _COLUMN_GAP_MM = 7.0, 6.0
_COLUMN_SIZES_PT = (17.0, 15.0, 13.5, 12.0, 11.0, 10.0, 9.0, 8.0, 7.0)
_HEAD_PT, _REMARK_PT, _FOOT_PT = 10.0, 11.0, 9.5
_SMALLEST_NAME_PT, _SMALLEST_LIKELY_PT, _SMALLEST_WHY_PT = 10.5, 10.0, 8.5
"""Whatever the size of the quantities."""

_LINE = 1.2
"""Height of a line in the size of its type, as the style sheet says."""

_MOST_OF_REST, _HALF_OF_REST, _LEAST_OF_REST = 0.7, 0.5, 0.3
"""Shares of the names' column in what the numbers leave over for names and reasons: at most, so
that names stay on a line, and at least."""


@dataclass(frozen=True)
class SheetRow:
    """The words of a product's line: its name, quantity, likely range and reasons."""

    name: str
    bake: str
    likely: str
    why: str


@dataclass(frozen=True)
class SheetLayout:
    """Sizes in points, and widths of the five columns in millimetres.

    Parameters
    ----------
    bake, name, likely, why : float
        Sizes of what a product's line says.
    padding_mm : float
        Above and below a line.
    columns_mm : tuple of float
        Names, quantities, ranges, reasons, ticks.
    fits : bool
        Whether all lines are on one sheet.
    """

    bake: float
    name: float
    likely: float
    why: float
    padding_mm: float
    columns_mm: tuple[float, float, float, float, float]
    fits: bool = True

    def height_mm(self, rows: Iterable[SheetRow]) -> float:
        """Estimate how high the lines of products are."""
        return sum(self._height_mm(row) for row in rows)

    def breaks_a_word(self, rows: Iterable[SheetRow]) -> bool:
        """Whether a product's name has a word that is wider than its column."""
        width = self.columns_mm[0] - _PADDING_MM
        return any(_longest(row.name, self.name, _BOLD_EM) > width for row in rows)

    def _height_mm(self, row: SheetRow) -> float:
        name, _, likely, why, _ = (width - _PADDING_MM for width in self.columns_mm)
        lines = (
            self.bake,
            self.name * _lines(row.name, name, self.name, _BOLD_EM),
            self.likely * _lines(row.likely, likely, self.likely, _EM),
            self.why * _lines(row.why, why, self.why, _EM),
        )
        return max(lines) * _LINE * POINT_MM + 2 * self.padding_mm + 0.3


def sheet_layout(
    rows: Sequence[SheetRow],
    heads: Sequence[str],
    *,
    title: tuple[str, str, str],
    remarks: Sequence[str],
    foot: Sequence[str],
    with_week: bool,
    headings: int = 0,
) -> SheetLayout:
    """Choose the largest type in which a plan stays on one sheet, with names in one piece.

    Parameters
    ----------
    rows : sequence of SheetRow
        The products' lines.
    heads : sequence of str
        Heads of the five columns.
    title : tuple of str
        The bakery, the weekday, and the day.
    remarks, foot : sequence of str
        Paragraphs above and below the table.
    with_week : bool
        Whether the days ahead are drawn below it.
    headings : int
        Groups that have a heading.

    Returns
    -------
    SheetLayout
        The smallest one, which doesn't fit, where there is too much for any.
    """
    free = free_height_mm(title, remarks, foot, with_week=with_week)
    free -= _TABLE_HEAD_MM + headings * _HEADING_MM
    tried = [_layout(size, rows, heads) for size in SIZES_PT]
    fitting = [one for one in tried if one.height_mm(rows) <= free]
    if not fitting:
        return replace(tried[-1], fits=False)
    return next((one for one in fitting if not one.breaks_a_word(rows)), fitting[-1])


def free_height_mm(
    title: tuple[str, str, str], remarks: Sequence[str], foot: Sequence[str], *, with_week: bool
) -> float:
    """Say how much of the sheet's height the lines have between what stands above and below."""
    around = _title_mm(*title) + _WEEK_MM * with_week + 5.0
    around += sum(_paragraph_mm(text, _REMARK_PT) for text in remarks)
    around += sum(_paragraph_mm(text, _FOOT_PT) + 1.0 for text in foot if text)
    return SHEET_MM - around


@dataclass(frozen=True)
class ColumnLayout:
    """Names and numbers in columns beside each other, for products that are many.

    Parameters
    ----------
    columns : int
        How many.
    bake, name : float
        Sizes of the quantities and names, points.
    padding_mm : float
        Above and below a line.
    name_mm : float
        Width of a name.
    """

    columns: int
    bake: float
    name: float
    padding_mm: float
    name_mm: float

    def height_mm(self, rows: Iterable[SheetRow]) -> float:
        """Estimate how high all lines are below each other."""
        return sum(
            max(self.bake, _lines(row.name, self.name_mm, self.name, _BOLD_EM) * self.name)
            * (_LINE * POINT_MM)
            + 2 * self.padding_mm
            + 0.2
            for row in rows
        )


def column_layout(rows: Sequence[SheetRow], *, free_mm: float, headings: int = 0) -> ColumnLayout:
    """Choose the largest type in which products in two or three columns stay on one sheet.

    Parameters
    ----------
    rows : sequence of SheetRow
        The products' lines; of their words the names and quantities count.
    free_mm : float
        Height that they have.
    headings : int
        Groups that have a heading.
    """
    tried = [_columns_of(size, count, rows) for size in _COLUMN_SIZES_PT for count in (2, 3)]
    for one in tried:
        # A column ends where a line ends, and a heading isn't its last one.
        needed = (one.height_mm(rows) + headings * _HEADING_MM) / one.columns + 2 * _HEADING_MM
        if needed <= free_mm:
            return one
    return tried[-1]


def _columns_of(size: float, count: int, rows: Sequence[SheetRow]) -> ColumnLayout:
    width = (WIDTH_MM - (count - 1) * _COLUMN_GAP_MM) / count
    bakes = max((_width(row.bake, size, _BOLD_EM) for row in rows), default=0.0)
    name = 0.8 * size
    ticks = 0.63 * name * POINT_MM
    return ColumnLayout(count, size, name, 0.03 * size, width - bakes - ticks - _PADDING_MM)


def name_size(name: str, usual: float, width_mm: float) -> float:
    """Give the size in which no word of a name is wider than its column: words aren't broken.

    Examples
    --------
    >>> name_size("Brot", 12.0, 40.0), round(name_size("Sonnenblumenkernbrot", 12.0, 40.0), 1)
    (12.0, 7.4)
    """
    longest = _longest(name, usual, _BOLD_EM)
    return usual * min(1.0, max(width_mm - _PADDING_MM, 1.0) / max(longest, 1e-9))


def _layout(size: float, rows: Sequence[SheetRow], heads: Sequence[str]) -> SheetLayout:
    name = max(0.63 * size, _SMALLEST_NAME_PT)
    likely = max(0.48 * size, _SMALLEST_LIKELY_PT)
    why = max(0.41 * size, _SMALLEST_WHY_PT)
    bakes = _widest((row.bake for row in rows), heads[1], size, _BOLD_EM)
    ranges = _widest((row.likely for row in rows), heads[2], likely, _EM)
    ticks = _longest(heads[4], _HEAD_PT, _EM) + _PADDING_MM
    rest = WIDTH_MM - bakes - ranges - ticks
    word = max((_longest(row.name, name, _BOLD_EM) for row in rows), default=0.0) + _PADDING_MM
    whole = max((_width(row.name, name, _BOLD_EM) for row in rows), default=0.0) + _PADDING_MM
    wanted = max(min(whole, _HALF_OF_REST * rest), word, _LEAST_OF_REST * rest)
    names = min(wanted, _MOST_OF_REST * rest)
    return SheetLayout(
        bake=size,
        name=name,
        likely=likely,
        why=why,
        padding_mm=0.06 * size,
        columns_mm=(names, bakes, ranges, rest - names, ticks),
    )


def _widest(texts: Iterable[str], head: str, size: float, em: float) -> float:
    """Width of a column whose texts aren't broken, and of whose head no word is."""
    widths = [_width(text, size, em) for text in texts]
    return max([*widths, _longest(head, _HEAD_PT, _EM)]) + _PADDING_MM


def _title_mm(bakery: str, weekday: str, day: str) -> float:
    """Estimate how high the title is, beside whose large weekday a bakery's name may be broken."""
    beside = _width(weekday, _TITLE_PT, _BOLD_EM) + _width(day, _BESIDE_TITLE_PT, _EM) + _GAPS_MM
    lines = _lines(bakery, max(WIDTH_MM - beside, 20.0), _BESIDE_TITLE_PT, _EM)
    return max(_TITLE_PT, lines * _BESIDE_TITLE_PT * _LINE) * POINT_MM + 7.0


def _paragraph_mm(text: str, size: float) -> float:
    return _lines(text, WIDTH_MM - 5.0, size, _EM) * size * _LINE * POINT_MM


def _lines(text: str, width_mm: float, size: float, em: float) -> int:
    """Count the lines that a text has, words being put into lines one after the other."""
    lines, used, gap = 0, math.inf, _width(" ", size, em)
    for word in text.split(" "):
        needed = _width(word, size, em)
        if used + gap + needed > width_mm:
            lines, used = lines + max(1, math.ceil(needed / width_mm)), needed % width_mm
        else:
            used += gap + needed
    return max(lines, 1)


def _longest(text: str, size: float, em: float) -> float:
    pieces = text.replace("-", "- ").split(" ")  # a line may also end behind a hyphen
    return max(_width(piece, size, em) for piece in pieces)


def _width(text: str, size: float, em: float) -> float:
    return len(text) * em * size * POINT_MM
