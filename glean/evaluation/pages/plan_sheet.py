"""How large the type of a printed plan is, so that it stays on one sheet of A4, in any language.

In come the words of the page; out come sizes and widths of columns. What a word needs is estimated
for a wide typeface (DejaVu Sans), as nobody knows which one a bakery's computer has.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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
    """

    bake: float
    name: float
    likely: float
    why: float
    padding_mm: float
    columns_mm: tuple[float, float, float, float, float]

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

    Returns
    -------
    SheetLayout
        The smallest one where there is too much for any.
    """
    around = _title_mm(*title) + _TABLE_HEAD_MM + _WEEK_MM * with_week + 5.0
    around += sum(_paragraph_mm(text, _REMARK_PT) for text in remarks)
    around += sum(_paragraph_mm(text, _FOOT_PT) + 1.0 for text in foot)
    tried = [_layout(size, rows, heads) for size in SIZES_PT]
    fitting = [one for one in tried if around + one.height_mm(rows) <= SHEET_MM] or tried[-1:]
    return next((one for one in fitting if not one.breaks_a_word(rows)), fitting[0])


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
