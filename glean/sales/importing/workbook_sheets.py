"""The workbooks of an import become sheets of lines, with what each kind of sheet was taken for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from glean.errors import Problem, SalesError, SettingsError
from glean.languages.catalogues import translatable
from glean.languages.sentences import Sentence
from glean.sales.importing.blocks import Block
from glean.sales.importing.exports import Note
from glean.sales.importing.request import ImportRequest
from glean.sales.importing.sheet_header import Header, find_header
from glean.sales.importing.sheet_kind import SheetKind
from glean.sales.importing.sheet_lines import (
    FILLED,
    MERGED,
    NAMELESS,
    TOTALS,
    has_lines,
    kind_of,
    lines_of,
)
from glean.sales.reading.grid import Grid
from glean.sales.reading.workbooks import is_named, open_workbook

_A_HEADER = Sentence(
    translatable(
        "the names of its columns, like Datum, Artikel, Menge or those that options name; "
        "leave the sheet out by --sheet, naming the others"
    )
)
_NO_HEADER = Sentence(translatable("no header"))


@dataclass
class WorkbookSheets:
    """Reads workbooks one after the other, since a sheet may have its header on an earlier one.

    Parameters
    ----------
    request : ImportRequest
        What is told of their columns.
    kinds : dict
        Header -> the kind of sheet, in order of appearance; None while none had a line.
    left_out : list of str
        Sheets that have nothing to read.
    names : list of str
        The sheets of all workbooks.
    problems : list of Problem
        Sheets that can't be read.
    """

    request: ImportRequest
    kinds: dict[tuple[str, ...], SheetKind | None] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def read(self, path: Path) -> list[Block]:
        """Read the sheets of a workbook that are wanted; what is wrong with one is kept.

        Raises
        ------
        SalesError
            Nothing of it can be read.
        """
        book = open_workbook(path, named=self.request.sheets)
        self.names += book.names
        self.left_out += [f"{name!r} of {path.name}" for name in book.left_out]
        blocks = []
        for grid in book.grids:
            try:
                block = self._read(grid)
            except SalesError as error:
                self.problems += error.problems
                continue
            if block is None:
                self.left_out.append(f"{grid.name!r} of {path.name}")
            else:
                blocks.append(block)
        return blocks

    def _read(self, grid: Grid) -> Block | None:
        told = [column for _, column in self.request.columns.named()]
        told += self.request.products
        known = [*(kind.header for kind in self.request.kinds), *self.kinds]
        header = find_header(grid, told=told, known=known)
        if header is None:
            raise SalesError([Problem(grid.source, None, "", _NO_HEADER, _A_HEADER)])
        kind = self.kinds.setdefault(header.names, None)
        if kind is None and not has_lines(grid, header):
            return None
        kind = kind or self._kind_of(grid, header)
        self.kinds[header.names] = kind
        sheet = lines_of(grid, header, kind)
        if sheet is None:
            return None
        title = Path(kind.tally.sheets[0]).name
        return Block(sheet, title, kind.columns, header.names, kind.day)

    def _kind_of(self, grid: Grid, header: Header) -> SheetKind:
        kind = kind_of(grid, header, self.request)
        alike = [known for known in self.kinds.values() if known and known.is_like(kind)]
        return replace(kind, tally=alike[0].tally) if alike else kind

    def refuse_unknown(self) -> None:
        """Refuse names of sheets that no workbook has.

        Raises
        ------
        SettingsError
            `--sheet` names one.
        """
        for wanted in self.request.sheets:
            if not any(is_named(name, [wanted]) for name in self.names):
                found = f"no such sheet, but {_listed(self.names)}" if self.names else "no workbook"
                raise SettingsError(f"--sheet: found {found}; wanted {wanted!r}")

    def notes(self) -> Iterator[Note]:
        """Say what each kind of sheet was taken for, and what was left out."""
        kinds = {id(kind.tally): kind for kind in reversed(self.kinds.values()) if kind}
        for kind in reversed(kinds.values()):
            yield from _of_kind(kind)
        if self.left_out:
            words = f"sheets without lines, or hidden: {_listed(self.left_out)}"
            yield "left out", words


def _of_kind(kind: SheetKind) -> Iterator[Note]:
    tally = kind.tally
    sheets = len(tally.sheets)
    like = "" if sheets == 1 else f"{sheets} like "
    header = f"header on line {min(tally.headed, default=1)}"
    if not tally.headed:
        header = "header taken from another"
    elif len(tally.headed) < sheets:
        header += f" of {_count(len(tally.headed), 'sheet')}, taken for the others too"
    first = Path(tally.sheets[0]).name if sheets else ""
    yield "sheets", f"{like}{first}: {header}"
    filled = tally.counts[FILLED]
    match kind.day:
        case "column":
            words = f"in column {kind.columns.date!r}"
            words += f", filled down over {_count(filled, 'line')}" if filled else ""
        case "line":
            words = "on lines of its own, for the lines below"
        case "sheet name":
            words = "in the name of the sheet"
    yield "day", words
    if tally.counts[MERGED]:
        yield "merged", f"{tally.counts[MERGED]:,} cells have what stands in the first of them"
    if tally.counts[TOTALS]:
        called = ", ".join(sorted(tally.totals))
        yield "left out", f"{_count(tally.counts[TOTALS], 'total line')} ({called})"
    if tally.counts[NAMELESS]:
        words = f"{_count(tally.counts[NAMELESS], 'line')} with a number and no product name"
        yield "left out", words


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
