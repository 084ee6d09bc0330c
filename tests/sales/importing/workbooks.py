"""Workbooks as tills and people write them, made anew for each test."""

from __future__ import annotations

import datetime as dt
import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import openpyxl

Cell = str | int | float | dt.date | dt.time | None
Rows = Sequence[Sequence[Cell]]

_SPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for name in ("office", "table", "text")
)
_CALCEXT = 'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
_ODS = "application/vnd.oasis.opendocument.spreadsheet"


def xlsx_of(
    path: Path, sheets: Mapping[str, Rows], *, merged: Iterable[str] = (), hidden: str = ""
) -> Path:
    """Write a workbook; `merged` are ranges like "A2:A4" of each sheet."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
        for cells in merged:
            sheet.merge_cells(cells)
        if name == hidden:
            sheet.sheet_state = "hidden"
    book.save(path)
    return path


def ods_of(path: Path, sheets: Mapping[str, Rows]) -> Path:
    """Write the same as an OpenDocument file, as small as one can be."""
    return ods_file(path, "".join(_ods_table(name, rows) for name, rows in sheets.items()))


def ods_file(path: Path, tables: str) -> Path:
    """Write an OpenDocument file with these tables of XML."""
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {_SPACES} {_CALCEXT}>'
        f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
        "</office:document-content>"
    )
    space = 'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"'
    entry = f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{_ODS}"/>'
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("mimetype", _ODS)
        file.writestr(
            "META-INF/manifest.xml", f"<manifest:manifest {space}>{entry}</manifest:manifest>"
        )
        file.writestr("content.xml", content)
    return path


def _ods_table(name: str, rows: Rows) -> str:
    lines = (f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in rows)
    return f"<table:table table:name={quoteattr(name)}>{''.join(lines)}</table:table>"


def _ods_cell(cell: Cell) -> str:
    match cell:
        case None:
            return "<table:table-cell/>"
        case dt.date():
            kind = f'office:value-type="date" office:date-value="{cell}"'
        case dt.time():
            kind = f'office:value-type="time" office:time-value="PT{cell:%HH%MM%SS}"'
        case str():
            kind = 'office:value-type="string"'
        case _:
            kind = f'office:value-type="float" office:value="{cell!r}"'
    return f"<table:table-cell {kind}><text:p>{escape(str(cell))}</text:p></table:table-cell>"


def xls_of(path: Path, sheets: Mapping[str, Rows]) -> Path:
    """Write the same as Excel 97 did: records of BIFF8 in a compound file of one stream."""
    heads = [_bof(0x0005), *(_record(0x00E0, struct.pack("<HH16x", 0, date)) for date in (0, 14))]
    parts = [b"".join(_xls_sheet(rows)) for rows in sheets.values()]
    names = [name.encode("utf-16-le") for name in sheets]
    at = len(b"".join(heads)) + sum(12 + len(name) for name in names) + len(_END)
    for name, part in zip(names, parts, strict=True):
        heads.append(_record(0x0085, struct.pack("<IHBB", at, 0, len(name) // 2, 1) + name))
        at += len(part)
    stream = b"".join([*heads, _END, *parts])
    path.write_bytes(_compound_file("Workbook", stream))
    return path


def _record(kind: int, content: bytes) -> bytes:
    return struct.pack("<HH", kind, len(content)) + content


def _bof(kind: int) -> bytes:
    return _record(0x0809, struct.pack("<HHHHII", 0x0600, kind, 0, 0x07CC, 0, 0x06))


_END = _record(0x000A, b"")


def _xls_sheet(rows: Rows) -> Iterable[bytes]:
    yield _bof(0x0010)
    for line, row in enumerate(rows):
        for column, cell in enumerate(row):
            match cell:
                case None:
                    continue
                case str():
                    text = struct.pack("<HB", len(cell), 1) + cell.encode("utf-16-le")
                    yield _record(0x0204, struct.pack("<HHH", line, column, 0) + text)
                case dt.date():
                    days = float((cell - dt.date(1899, 12, 30)).days)
                    yield _record(0x0203, struct.pack("<HHHd", line, column, 1, days))
                case dt.time():
                    time = (cell.hour * 60 + cell.minute) / 1440
                    yield _record(0x0203, struct.pack("<HHHd", line, column, 1, time))
                case _:
                    yield _record(0x0203, struct.pack("<HHHd", line, column, 0, float(cell)))
    yield _END


def _compound_file(name: str, stream: bytes) -> bytes:
    """Sectors of 512 bytes: a table of all sectors, the directory, and the stream."""
    stream = stream.ljust(4096, b"\0")  # shorter ones would stand in smaller sectors
    sectors = -(-len(stream) // 512)
    chain = [0xFFFFFFFD, 0xFFFFFFFE, *range(3, sectors + 2), 0xFFFFFFFE]
    table = struct.pack("<128I", *chain, *[0xFFFFFFFF] * (128 - len(chain)))
    head = struct.pack(
        "<8s16xHHHHH6xIII4xIIIII",
        bytes.fromhex("d0cf11e0a1b11ae1"), 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1,
        4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0,
    )  # fmt: skip
    head += struct.pack("<109I", 0, *[0xFFFFFFFF] * 108)
    entries = [_entry("Root Entry", 5, 0xFFFFFFFE, 0, child=1), _entry(name, 2, 2, len(stream))]
    directory = b"".join(entries).ljust(512, b"\0")
    return head + table + directory + stream.ljust(sectors * 512, b"\0")


def _entry(name: str, kind: int, start: int, size: int, child: int = 0xFFFFFFFF) -> bytes:
    text = (name + "\0").encode("utf-16-le")
    none = 0xFFFFFFFF
    return struct.pack("<64sHBBIII36xIQ", text, len(text), kind, 1, none, none, child, start, size)
