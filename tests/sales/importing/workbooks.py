"""Workbooks as tills and people write them, made anew for each test."""

from __future__ import annotations

import datetime as dt
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
