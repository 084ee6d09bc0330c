"""What a workbook's file holds, looked at before the library reads it.

The library takes a sheet for a rectangle: one stray cell in the last corner of a sheet would take
more memory than there is. And it gives an empty cell, or 0, where a formula went wrong.
"""

from __future__ import annotations

import io
import itertools
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape

from glean.errors import SalesError
from glean.languages.catalogues import translatable
from glean.languages.sentences import Sentence
from glean.regular_files import MOST_BYTES, TOO_LARGE
from glean.sales.reading.encodings import refused

Place = tuple[int, int]
"""Line and column of a cell, from 0."""

MOST_CELLS = 2**24
"""Lines times columns of a sheet: every line that a sheet can have, with sixteen columns."""

_MOST_REPEATED = 10_000
"""Copies of one error that are kept; one is enough to refuse them."""

_WANTED = Sentence(translatable("a whole workbook; save or copy it again"))
_SHEET = re.compile(rb"<(?:\w+:)?sheet\s[^>]{0,2000}>")
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\s[^>]{0,4000}>")
_ATTRIBUTE = re.compile(rb"([\w:.-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
# What is bounded here can't take long over a file that is made to.
_ROW = re.compile(rb"<(?:\w+:)?row\s[^>]{0,500}?\br=[\"'](\d{1,7})[\"']")
_PLACE = re.compile(rb"<(?:\w+:)?c\s[^>]{0,500}?\br=[\"']([A-Z]{1,3})(\d{1,7})[\"']")
_CELL = re.compile(rb"<(?:\w+:)?c\s([^>]{0,500}[^>/])>(.{0,40000}?)</(?:\w+:)?c>", re.DOTALL)
_IS_ERROR = re.compile(rb"\bt=[\"']e[\"']")
_IS_TEXT = re.compile(rb"\bt=[\"']str[\"']")
_VALUE = re.compile(rb"<(?:\w+:)?v(?:\s[^>]*)?>([^<]+)<")
_FORMULA = re.compile(rb"<(?:\w+:)?f(?:\s[^>]*)?(?:/>|>([^<]*)<)")
_ODS_TAG = re.compile(
    rb"<(/?)table:(table-row|table-cell|covered-table-cell|table)\b([^>]{0,4000}?)(/?)>"
)
_ODS_TEXT = re.compile(rb"\s*<text:p[^>]*>([^<]*)")


@dataclass
class SheetExtras:
    """What the library doesn't tell of a sheet.

    Parameters
    ----------
    odd : dict
        Place -> what stands there, where a formula has no value.
    merged : list of (Place, Place)
        First and last of cells that are merged over lines, of .ods files.
    """

    odd: dict[Place, str] = field(default_factory=dict)
    merged: list[tuple[Place, Place]] = field(default_factory=list)


def sheet_extras(source: str, data: bytes) -> dict[str, SheetExtras]:
    """Look an .xlsx or .ods file over before the library does.

    Parameters
    ----------
    source : str
        The file as the user named it.
    data : bytes
        A zip file.

    Returns
    -------
    dict of str to SheetExtras
        By the names of the sheets that have any.

    Raises
    ------
    SalesError
        It is damaged, has a password, is no workbook, or is too large once unpacked.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            return _extras_of(source, file)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        found = Sentence(translatable("a damaged workbook or zip file ({why})"), why=f"{error}")
        raise refused(source, found, _WANTED) from None


def _extras_of(source: str, file: zipfile.ZipFile) -> dict[str, SheetExtras]:
    members = file.infolist()
    names = {member.filename for member in members}
    if any(member.flag_bits & 1 for member in members):
        raise has_password(source)
    if sum(member.file_size for member in members) > MOST_BYTES:
        wanted = "a workbook of less; save its sheets in several"
        raise refused(source, f"a workbook {TOO_LARGE} once unpacked", wanted)
    if "xl/workbook.xml" in names:
        return _of_xlsx(source, file)
    if "content.xml" in names and b"spreadsheet" in _member(file, "mimetype", names):
        if b"encryption-data" in _member(file, "META-INF/manifest.xml", names):
            raise has_password(source)
        return _of_ods(source, file.read("content.xml"))
    found = translatable("a zip file without a workbook")
    if "xl/workbook.bin" in names:
        found = translatable("an .xlsb workbook")
    wanted = translatable("a workbook: .xlsx, .xls or .ods, or a CSV file")
    raise refused(source, Sentence(found), Sentence(wanted))


def has_password(source: str) -> SalesError:
    """Build the error about a workbook that is encrypted."""
    found = Sentence(translatable("a workbook with a password"))
    return refused(source, found, Sentence(translatable("one without; save a copy without it")))


def _member(file: zipfile.ZipFile, name: str, names: set[str]) -> bytes:
    return file.read(name) if name in names else b""


def _of_xlsx(source: str, file: zipfile.ZipFile) -> dict[str, SheetExtras]:
    sheets = dict(_sheets_of_xlsx(file))
    found: dict[str, SheetExtras] = {}
    for member in file.infolist():
        # Each is read, since a size that lies is noticed only then.
        xml = file.read(member)
        if b"sheetData" not in xml:
            continue
        name = sheets.get(member.filename, member.filename)
        places = _PLACE.findall(xml)
        columns = max((_column(letters) for letters in {place[0] for place in places}), default=0)
        rows = [*_ROW.findall(xml), *(place[1] for place in places)]
        lines = max(map(int, rows), default=0)
        _refuse_far(source, name, lines, columns + 1)
        if b"<f" in xml or b":f" in xml or _IS_ERROR.search(xml):
            found[name] = SheetExtras(dict(_without_value(xml)))
    return found


def _sheets_of_xlsx(file: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """Where in the file each sheet lies, and its name."""
    targets = {}
    names = set(file.namelist())
    for tag in _RELATION.findall(_member(file, "xl/_rels/workbook.xml.rels", names)):
        attributes = _attributes(tag)
        target = attributes.get("Target", "")
        path = target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
        targets[attributes.get("Id", "")] = path
    for tag in _SHEET.findall(file.read("xl/workbook.xml")):
        attributes = _attributes(tag)
        relation = next((text for key, text in attributes.items() if key.endswith(":id")), "")
        yield targets.get(relation, ""), attributes.get("name", "")


def _attributes(tag: bytes) -> dict[str, str]:
    return {
        key.decode(): unescape((double or single).decode(errors="replace"))
        for key, double, single in _ATTRIBUTE.findall(tag)
    }


def _without_value(xml: bytes) -> Iterator[tuple[tuple[int, int], str]]:
    for attributes, body in _CELL.findall(xml):
        place = _PLACE.match(b"<c " + attributes)
        if place is None:
            continue
        value = _VALUE.search(body)
        formula = _FORMULA.search(body)
        at = (int(place[2]) - 1, _column(place[1]))
        if _IS_ERROR.search(attributes):
            yield at, value[1].decode(errors="replace") if value else "#ERROR!"
        elif formula and not value and not _IS_TEXT.search(attributes):
            yield at, "=" + unescape((formula[1] or b"...").decode(errors="replace"))


def _column(letters: bytes) -> int:
    """Position of a column, from 0: "A" is 0, "AA" is 26."""
    position = 0
    for letter in letters:
        position = position * 26 + letter - ord("A") + 1
    return position - 1


def _of_ods(source: str, xml: bytes) -> dict[str, SheetExtras]:
    found: dict[str, SheetExtras] = {}
    place = _OdsPlace()
    for tag in _ODS_TAG.finditer(xml):
        closing, kind, text, ended = tag.groups()
        if kind == b"table" and not closing:
            place = _OdsPlace(_attributes(text).get("table:name", ""))
        elif kind == b"table-row":
            if not closing:
                place.start_row(_number(text, "rows-repeated"))
            if closing or ended:
                place.end_row()
        elif not closing and kind != b"table":
            at = (place.line, place.column)
            cells = place.pass_cells(_number(text, "columns-repeated"), filled=b"-type=" in text)
            _refuse_far(source, place.name, *place.farthest)
            if (lines := _number(text, "rows-spanned")) > 1:
                merged = found.setdefault(place.name, SheetExtras()).merged
                merged.append((at, (at[0] + lines - 1, at[1])))
            if b'calcext:value-type="error"' in text:
                shown = _ODS_TEXT.match(xml, tag.end())
                words = shown[1].decode(errors="replace") if shown else ""
                few = itertools.islice(cells, _MOST_REPEATED)
                odd = found.setdefault(place.name, SheetExtras()).odd
                odd.update(dict.fromkeys(few, words or "#ERROR!"))
    return found


@dataclass
class _OdsPlace:
    """Where in an .ods file a tag stands: rows and cells have no number there, but may repeat."""

    name: str = ""
    line: int = 0
    column: int = 0
    times: int = 1
    farthest: tuple[int, int] = (0, 0)

    def start_row(self, times: int) -> None:
        self.times, self.column = times, 0

    def end_row(self) -> None:
        self.line += self.times

    def pass_cells(self, times: int, *, filled: bool) -> Iterator[tuple[int, int]]:
        """Go past a cell, and give the places that it fills."""
        lines = range(self.line, self.line + self.times)
        columns = range(self.column, self.column + times)
        self.column += times
        if filled:
            lines_so_far, columns_so_far = self.farthest
            self.farthest = (max(lines_so_far, lines.stop), max(columns_so_far, columns.stop))
        return itertools.product(lines, columns)


def _number(text: bytes, what: str) -> int:
    times = _attributes(text).get(f"table:number-{what}", "1")
    return int(times) if times.isdecimal() and len(times) < 9 else 1


def _refuse_far(source: str, name: str, lines: int, columns: int) -> None:
    if lines * columns > MOST_CELLS:
        found = f"cells as far out as line {lines:,} and column {columns:,}"
        wanted = "a sheet of its table alone; delete what stands far away, or copy the table"
        raise refused(f"{source}, sheet {name!r}", found, wanted)
