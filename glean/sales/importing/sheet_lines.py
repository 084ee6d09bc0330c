"""The lines of a workbook's sheet that are sales: what isn't is left out and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from glean.errors import Problem, SalesError
from glean.languages.catalogues import translatable
from glean.languages.sentences import Sentence
from glean.sales.importing.column_roles import find_roles, kind_like
from glean.sales.importing.column_words import is_number
from glean.sales.importing.exports import missing_from
from glean.sales.importing.kind_layout import DayPlace
from glean.sales.importing.request import Columns, ImportRequest
from glean.sales.importing.sheet_days import (
    DAY,
    day_in,
    day_of_line,
    days_from_lines,
    filled_down,
)
from glean.sales.importing.sheet_header import Header, header_names, nameless
from glean.sales.importing.sheet_kind import SheetKind
from glean.sales.importing.total_words import label_of, total_of
from glean.sales.reading.grid import Grid, with_point
from glean.sales.reading.sheet import Sheet, Texts, texts_of

TOTALS, NAMELESS = "total lines", "lines without a product name"
FILLED, MERGED = "days filled down", "merged cells filled"

Row = tuple[int, list[str]]
"""A line of a grid: its position from 0, and its cells, one for each name of the header."""

_A_DAY: dict[DayPlace, str] = {
    "column": "a day in the column",
    "line": "a day on a line of its own",
    "sheet name": "a day in the sheet's name",
}
_A_TABLE = "lines like those of the other sheets; leave it out by --sheet, naming the others"


def kind_of(grid: Grid, header: Header, request: ImportRequest) -> SheetKind:
    """Find out what is what on sheets of this kind, by the first of them.

    Raises
    ------
    SalesError
        Several columns could be the same.
    """
    rows = [cells for _, cells in _filled_rows(grid, header) if not total_of(cells)]
    cells: dict[str, Texts] = {}
    for column, name in enumerate(header.names):
        cells.setdefault(name, texts_of([row[column] for row in rows]))
    named = [*request.columns.named(), *(("--products", name) for name in request.products)]
    lacking = missing_from(Sheet(grid.source, cells, np.arange(len(rows))), named)
    if lacking:
        raise SalesError(lacking)
    columns = find_roles(cells, request, grid.source)
    _refuse_twins(grid, header, columns)
    like = kind_like(cells, request, grid.source)
    day: DayPlace = "column"
    if like is not None:
        day = like.day
    elif not columns.date:
        on_lines = any(days_from_lines(grid.rows, _first(header), grid.source))
        day = "line" if on_lines else "sheet name"
    columns = replace(columns, date=columns.date or DAY)
    return SheetKind(
        names=header.names,
        columns=columns,
        day=day,
        layout=request.layout if like else "",
        with_totals=request.totals == "keep",
    )


def has_lines(grid: Grid, header: Header) -> bool:
    """Whether a sheet has more than its header and total lines, so that its kind can be told."""
    return any(not total_of(cells) for _, cells in _filled_rows(grid, header))


def lines_of(grid: Grid, header: Header, kind: SheetKind) -> Sheet | None:
    """Take the lines of a sheet that are sales, and count the others in its tally.

    Returns
    -------
    Sheet or None
        None if there are none, only total lines or a day.

    Raises
    ------
    SalesError
        The sheet has no day, or isn't what the header says.
    """
    kind.tally.sheets.append(grid.source)
    kind.tally.headed += [] if header.row is None else [header.row + 1]
    rows = _without_totals(_filled_rows(grid, header), kind)
    _fill_merged(rows, grid, kind)
    rows, days = _with_days(rows, grid, header, kind)
    named = [_has_name(cells, kind) for _, cells in rows]
    if header.row is None and rows and not any(_is_sale(cells, kind) for _, cells in rows):
        raise SalesError([Problem(grid.source, None, "", "nothing like its header", _A_TABLE)])
    nameless = [cells for (_, cells), fine in zip(rows, named, strict=True) if not fine]
    kind.tally.counts[NAMELESS] += sum(_is_sold(cells, kind) for cells in nameless)
    kept = [position for position, fine in enumerate(named) if fine]
    if not kept:
        return None
    if not any(days[position].strip() for position in kept):
        raise SalesError(
            [Problem(grid.source, None, "", Sentence(translatable("no day")), _wanted_day(kind))]
        )
    return _sheet_of(grid, kind, [rows[k] for k in kept], [days[k] for k in kept])


def _first(header: Header) -> int:
    return 0 if header.row is None else header.row + 1


def _filled_rows(grid: Grid, header: Header) -> list[Row]:
    """Give the lines below the header that aren't blank or the header again, as long as it is."""
    width, first = len(header.names), _first(header)
    found = []
    for row, cells in enumerate(grid.rows[first:], first):
        if any(text.strip() for text in cells) and header_names(cells) != header.names:
            found.append((row, [*cells[:width], *[""] * (width - len(cells))]))
    return found


def _without_totals(rows: Sequence[Row], kind: SheetKind) -> list[Row]:
    kept = []
    for row, cells in rows:
        total = total_of(cells, _cell(cells, kind, kind.columns.product))
        if total and not kind.with_totals:
            kind.tally.counts[TOTALS] += 1
            kind.tally.totals[label_of(total)] += 1
        else:
            kept.append((row, cells))
    return kept


def _fill_merged(rows: Sequence[Row], grid: Grid, kind: SheetKind) -> None:
    """Write what stands in merged cells into each of their lines: names and days, never numbers."""
    columns = (kind.columns.date, kind.columns.product, kind.columns.bakery)
    places = {kind.names.index(name) for name in columns if name in kind.names}
    cells_of = dict(rows)
    for (top, left), (bottom, right) in grid.merged:
        if left != right or left not in places or top >= len(grid.rows):
            continue
        text = grid.rows[top][left]
        for row in range(top + 1, bottom + 1):
            if row in cells_of:
                cells_of[row][left] = text
                kind.tally.counts[MERGED] += 1


def _with_days(
    rows: list[Row], grid: Grid, header: Header, kind: SheetKind
) -> tuple[list[Row], list[str]]:
    """Give the lines that say more than a day, and the day of each."""
    match kind.day:
        case "column":
            found = [_cell(cells, kind, kind.columns.date) for _, cells in rows]
            days = filled_down(found)
            kind.tally.counts[FILLED] += sum(map(bool, days)) - sum(map(bool, found))
            return rows, days
        case "line":
            days = days_from_lines(grid.rows, _first(header), grid.source)
            rows = [(row, cells) for row, cells in rows if not day_of_line(cells)]
            return rows, [days[row] for row, _ in rows]
        case _:
            return rows, [day_in(grid.name)] * len(rows)


def _has_name(cells: Sequence[str], kind: SheetKind) -> bool:
    return not kind.columns.product or bool(_cell(cells, kind, kind.columns.product).strip())


def _is_sold(cells: Sequence[str], kind: SheetKind) -> bool:
    """Whether a number stands where units do; where any column may be a product, in one of them."""
    columns = kind.columns.hours or (kind.columns.units,)
    return any(
        is_number(_cell(cells, kind, name)) for name in (columns if any(columns) else kind.names)
    )


def _is_sale(cells: Sequence[str], kind: SheetKind) -> bool:
    return _has_name(cells, kind) and _is_sold(cells, kind)


def _cell(cells: Sequence[str], kind: SheetKind, name: str) -> str:
    return cells[kind.names.index(name)] if name in kind.names else ""


def _wanted_day(kind: SheetKind) -> str:
    if kind.layout:
        return f"{_A_DAY[kind.day]}, as in the layout {kind.layout}"
    return Sentence(
        translatable("a column of days, or a day above the table or in the sheet's name")
    )


def _sheet_of(grid: Grid, kind: SheetKind, rows: Sequence[Row], days: Sequence[str]) -> Sheet:
    used = {column for _, column in kind.columns.named()}
    cells: dict[str, Texts] = {}
    for column, name in enumerate(kind.names):
        if name not in cells and (name in used or name != nameless(column)):
            texts = [cells[column] for _, cells in rows]
            as_names = name in (kind.columns.product, kind.columns.bakery)
            cells[name] = texts_of([with_point(text) for text in texts] if as_names else texts)
    cells[kind.columns.date] = texts_of(days)
    lines = np.array([row + 1 for row, _ in rows], dtype=np.int64)
    return Sheet(grid.source, cells, lines)


def _refuse_twins(grid: Grid, header: Header, columns: Columns) -> None:
    used = {column for _, column in columns.named()} | set(columns.hours)
    twins = sorted(name for name in used if header.names.count(name) > 1)
    line = None if header.row is None else header.row + 1
    if twins:
        raise SalesError(
            [Problem(grid.source, line, n, "this column twice", "each column once") for n in twins]
        )
