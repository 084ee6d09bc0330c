"""A workbook (.xlsx, .xls, .ods) becomes grids of texts, one for each of its sheets."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from glean.languages.catalogues import translatable
from glean.languages.sentences import Sentence
from glean.sales.reading.encodings import refused
from glean.sales.reading.grid import Grid, texts_of_cells
from glean.sales.reading.text_files import WORKBOOK_MAGICS, read_unpacked
from glean.sales.reading.workbook_parts import SheetExtras, has_password, sheet_extras

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")

_ZIP_MAGIC = b"PK\x03\x04"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_WANTED = Sentence(translatable("a whole workbook; save or copy it again"))


@dataclass(frozen=True)
class Workbook:
    """The sheets of a workbook.

    Parameters
    ----------
    grids : tuple of Grid
        Those that are asked for and aren't empty, in the workbook's order.
    left_out : tuple of str
        Names of sheets that are hidden, hold a picture only, or are empty.
    names : tuple of str
        Those of all sheets.
    """

    grids: tuple[Grid, ...]
    left_out: tuple[str, ...]
    names: tuple[str, ...]


def is_workbook(path: Path) -> bool:
    """Whether a file is a workbook, by its first bytes or else its name.

    Tills write text files, and call them .xls: those are none.
    """
    try:
        with path.open("rb") if path.is_file() else io.BytesIO() as file:
            start = file.read(512)
    except OSError:
        return False  # whoever reads it says why
    if start.startswith(WORKBOOK_MAGICS):
        return True
    ending = path.suffix.lower()
    return bool(start) and ending in ENDINGS and (ending != ".xls" or b"<" in start[:100])


def open_workbook(path: Path, *, named: Sequence[str] = ()) -> Workbook:
    """Read the sheets of a workbook.

    Parameters
    ----------
    path : Path
        The file.
    named : sequence of str
        Names of the sheets that are wanted, or patterns like "Day *"; empty for all that can be
        seen.

    Raises
    ------
    SalesError
        The file is missing, damaged, protected by a password, no workbook, too large, or has
        nothing in its sheets.
    """
    source = str(path)
    data = read_unpacked(path)
    if data.startswith(_ZIP_MAGIC):
        extras = sheet_extras(source, data)
    elif _ENCRYPTED in data:
        raise has_password(source)
    elif data.startswith(WORKBOOK_MAGICS):
        extras = {}
    elif b"<" in data[:100]:
        wanted = translatable("a workbook; open it in a spreadsheet program and save it as .xlsx")
        found = translatable("a web page that is called a workbook")
        raise refused(source, Sentence(found), Sentence(wanted))
    else:
        raise refused(source, Sentence(translatable("a damaged workbook")), _WANTED)
    return _read(source, data, extras, named)


def _read(
    source: str, data: bytes, extras: Mapping[str, SheetExtras], named: Sequence[str]
) -> Workbook:
    # Here, since most imports read text files.
    import python_calamine as calamine

    grids, left_out = [], []
    try:
        with _panics_unheard(), calamine.load_workbook(io.BytesIO(data)) as book:
            for sheet in book.sheets_metadata:
                seen = sheet.visible == calamine.SheetVisibleEnum.Visible
                if not (is_named(sheet.name, named) if named else seen):
                    left_out += [] if named else [sheet.name]
                    continue
                is_table = sheet.typ == calamine.SheetTypeEnum.WorkSheet
                extra = extras.get(sheet.name, SheetExtras())
                grid = _grid_of(source, book, sheet.name, extra) if is_table else None
                if grid is None:
                    left_out.append(sheet.name)
                else:
                    grids.append(grid)
            names = book.sheet_names
    except calamine.PasswordError:
        raise has_password(source) from None
    except BaseException as error:
        # The library's own slips come as a BaseException of a class that it doesn't export.
        if not (isinstance(error, calamine.CalamineError) or "Panic" in type(error).__name__):
            raise
        why = (str(error).splitlines() or ["no reason given"])[0]
        found = Sentence(translatable("a damaged workbook ({why})"), why=why)
        raise refused(source, found, _WANTED) from None
    if not grids and not named:
        found = Sentence(translatable("a workbook with nothing in its sheets"))
        raise refused(source, found, Sentence(translatable("lines of sales")))
    return Workbook(tuple(grids), tuple(left_out), tuple(names))


@contextmanager
def _panics_unheard() -> Iterator[None]:
    """Keep off the terminal what the library's own language says of its slips, page after page."""
    try:
        kept = os.dup(2)
    except OSError:  # there is none
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _grid_of(source: str, book: CalamineWorkbook, name: str, extra: SheetExtras) -> Grid | None:
    """Texts of one sheet; None if it has no cells."""
    cells = book.get_sheet_by_name(name)
    rows = [texts_of_cells(row) for row in cells.to_python(skip_empty_area=False)]
    for (line, column), text in extra.odd.items():
        # The library ends a sheet where it saw the last value.
        rows += [[] for _ in range(line + 1 - len(rows))]
        rows[line] += [""] * (column + 1 - len(rows[line]))
        rows[line][column] = text
    if not any(map(any, rows)):
        return None
    return Grid(source, name, rows, (*(cells.merged_cell_ranges or ()), *extra.merged))


def is_named(name: str, named: Sequence[str]) -> bool:
    """Whether a sheet is one of those named, or fits one of the patterns."""
    return any(name == wanted or fnmatchcase(name, wanted) for wanted in named)
