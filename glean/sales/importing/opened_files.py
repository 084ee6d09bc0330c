"""The files of an import are opened and become one sheet: below one another, or side by side.

What comes in is the request, what goes out is texts; `import_sales` takes it from there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glean.errors import Problem, SalesError, SettingsError
from glean.languages.catalogues import translatable
from glean.languages.sentences import Sentence
from glean.sales.importing.blocks import Block, with_roles
from glean.sales.importing.column_roles import find_roles
from glean.sales.importing.exports import Note, align_rows, missing_from, open_export
from glean.sales.importing.kind_layout import KindLayout
from glean.sales.importing.request import ImportRequest
from glean.sales.importing.workbook_sheets import WorkbookSheets
from glean.sales.reading.sales_file import in_file_order
from glean.sales.reading.sheet import MOST_SHOWN, Parts, Sheet, Texts, texts_of
from glean.sales.reading.workbooks import is_workbook

MOST_NAMED = 3
"""Files that are named one by one before the rest is counted."""


@dataclass(frozen=True)
class OpenedFiles:
    """The files of an import as texts.

    Parameters
    ----------
    request : ImportRequest
        What is asked for, with the columns that were found.
    sheet : Sheet
        Lines that fit the header; columns that are missing have stand-ins.
    own : frozenset of str
        Columns of the export itself, not of the file beside it.
    notes : tuple of Note
        How the files are written.
    problems : tuple of Problem
        Lines that don't fit, and missing columns.
    missing : frozenset of str
        Options whose columns are missing.
    kinds : tuple of (str, frozenset of int)
        What is alike among the parts of the sheet: its name, and which parts.
    layouts : tuple of KindLayout
        What each of these is like.
    """

    request: ImportRequest
    sheet: Sheet
    own: frozenset[str]
    notes: tuple[Note, ...]
    problems: tuple[Problem, ...]
    missing: frozenset[str]
    kinds: tuple[tuple[str, frozenset[int]], ...]
    layouts: tuple[KindLayout, ...]


def open_files(request: ImportRequest) -> OpenedFiles:
    """Open all files of an import.

    Raises
    ------
    SalesError
        Nothing of a file can be read, two files that belong side by side don't fit, or a column
        that is needed was neither told nor found.
    """
    blocks, notes, problems = _open_each(request)
    sheets = [block.sheet for block in blocks]
    own = frozenset(name for sheet in sheets for name in sheet.cells)
    if request.aligned is not None:
        if len(sheets) > 1:
            raise SettingsError(
                f"--align-rows: found {len(sheets)} sheets; wanted one, named by --sheet"
            )
        other, found, ragged = open_export(request.aligned, request.notation)
        problems += ragged
        if problems:  # without its lines, one file would slip against the other
            raise SalesError(problems)
        sheets, notes = [align_rows(sheets[0], other)], notes + found
        blocks = [replace(blocks[0], sheet=sheets[0])]
    request, sheets, found = with_roles(request, blocks)
    sheets, lacking, missing = _with_stand_ins(request, sheets)
    notes += [*found, *_unlike(sheets, request.columns.hours)]
    kinds: dict[str, list[int]] = {}
    for position, block in enumerate(blocks):
        kinds.setdefault(block.kind, []).append(position)
    return OpenedFiles(
        request=request,
        sheet=below_one_another(sheets),
        own=own,
        notes=tuple(notes),
        problems=(*problems, *lacking),
        missing=missing,
        kinds=tuple((name, frozenset(positions)) for name, positions in kinds.items()),
        layouts=tuple(dict.fromkeys(block.layout for block in blocks)),
    )


def _open_each(request: ImportRequest) -> tuple[list[Block], list[Note], list[Problem]]:
    blocks: list[Block] = []
    notes: list[Note] = []
    problems: list[Problem] = []
    refused: list[Problem] = []
    books = WorkbookSheets(request)
    for path in request.paths:
        try:
            if is_workbook(path):
                blocks += books.read(path)
                continue
            sheet, found, ragged = open_export(path, request.notation)
        except SalesError as error:
            refused += error.problems
            continue
        columns = find_roles(sheet.cells, request, sheet.source)
        blocks.append(Block(sheet, path.name, columns, tuple(sheet.cells)))
        notes += found
        problems += ragged
    refused += books.problems
    if refused:
        raise SalesError(in_file_order([*problems, *refused]))
    books.refuse_unknown()
    if not blocks:
        empty = Sentence(translatable("sheets without a line"))
        wanted = Sentence(translatable("lines of sales"))
        raise SalesError([Problem(request.source, None, "", empty, wanted)])
    return blocks, [*_shortened(notes), *books.notes()], problems


def _with_stand_ins(
    request: ImportRequest, sheets: Sequence[Sheet]
) -> tuple[list[Sheet], list[Problem], frozenset[str]]:
    """Put sound cells in place of columns that are named and missing, and say which are."""
    named = [*request.columns.named(), *(("--products", name) for name in request.products)]
    named += [("--decimal", name) for name in request.notation.decimals]
    filled: list[Sheet] = []
    problems: list[Problem] = []
    missing: set[str] = set()
    for sheet in sheets:
        absent = [(option, column) for option, column in named if column not in sheet.cells]
        if absent and len(problems) < MOST_SHOWN:
            problems += missing_from(sheet, named)
        stand_ins = {column: _stand_in(option, len(sheet)) for option, column in absent}
        filled.append(replace(sheet, cells=sheet.cells | stand_ins))
        missing |= {option for option, _ in absent}
    return filled, problems, frozenset(missing)


def below_one_another(sheets: Sequence[Sheet]) -> Sheet:
    """Put sheets below one another; where one lacks a column of another, nothing stands.

    Parameters
    ----------
    sheets : sequence of Sheet
        At least one. Their columns in order of appearance are those of the result.
    """
    if len(sheets) == 1:
        return sheets[0]
    columns = dict.fromkeys(name for sheet in sheets for name in sheet.cells)
    empty = [texts_of([""] * len(sheet)) for sheet in sheets]
    cells = {
        name: np.concatenate(
            [sheet.cells.get(name, texts) for sheet, texts in zip(sheets, empty, strict=True)]
        )
        for name in columns
    }
    lengths = [len(sheet) for sheet in sheets]
    parts = Parts(
        names=tuple(sheet.source for sheet in sheets),
        of_row=np.repeat(np.arange(len(sheets)), lengths),
    )
    renamed = dict.fromkeys(name for sheet in sheets for name in sheet.homes)
    homes = {
        name: np.concatenate(
            [sheet.homes.get(name, texts_of([name] * len(sheet))) for sheet in sheets]
        )
        for name in renamed
    }
    lines = np.concatenate([sheet.lines for sheet in sheets])
    return Sheet(_all_of([sheet.source for sheet in sheets]), cells, lines, homes, parts)


def _all_of(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _shortened(notes: list[Note]) -> list[Note]:
    """Say once, and of how many files, how files are written that are alike."""
    by_words: dict[str, list[str]] = {}
    for _, text in notes:
        name, _, words = text.partition(": ")
        by_words.setdefault(words, []).append(name)
    if all(len(names) <= MOST_NAMED for names in by_words.values()):
        return notes
    return [
        ("file" if len(names) == 1 else "files", f"{_listed(names)}: {words}")
        for words, names in by_words.items()
    ]


def _listed(names: Sequence[str]) -> str:
    if len(names) <= MOST_NAMED:
        return ", ".join(names)
    return f"{len(names)}, from {names[0]} to {names[-1]}"


def _unlike(sheets: Sequence[Sheet], hours: Collection[str]) -> list[Note]:
    """Say which columns aren't in all files; hours come and go with opening hours."""
    columns = dict.fromkeys(name for sheet in sheets for name in sheet.cells if name not in hours)
    partial = [name for name in columns if any(name not in sheet.cells for sheet in sheets)]
    if not partial:
        return []
    return [("columns", f"not in all files, and empty there: {', '.join(partial)}")]


def _stand_in(option: str, rows: int) -> Texts:
    """Cells in which nothing is wrong, so that the other columns can be looked at."""
    text = {"--date": "2000-01-01", "--units": "1", "--products": "1"}.get(option, "")
    text = "(missing)" if option in ("--bakery", "--product") else text
    return texts_of([text] * rows)
