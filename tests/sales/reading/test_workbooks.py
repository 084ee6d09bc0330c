"""A workbook's cells become texts that mean the same; what can't be read says so in a sentence."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from glean.errors import SalesError
from glean.sales.reading.grid import texts_of_cells, with_point
from glean.sales.reading.sales_file import read_sales
from glean.sales.reading.sheet import texts_of
from glean.sales.reading.values import NumberFormat, read_numbers
from glean.sales.reading.workbooks import is_workbook, open_workbook
from tests.sales.importing.workbooks import Rows, ods_file, ods_of, xlsx_of

NUMBERS = [0.0, 1.234, -0.45, 1e-7, 123456.789, 2.5e11, 1 / 3, -7.0, 1e12, 4.9e-324]

STAMP = dt.datetime.fromisoformat("2024-03-04 08:15")


@pytest.mark.parametrize("decimal", [".", ","])
def test_numbers_are_read_as_they_were_under_either_mark(decimal: str) -> None:
    """To the last digit: a number that a workbook holds has no mark that could be mistaken."""
    texts = texts_of(texts_of_cells(NUMBERS))
    read, _ = read_numbers(texts, NumberFormat(decimal, lenient=True))
    assert np.array_equal(read, np.array(NUMBERS))
    assert [float(with_point(text)) for text in texts] == NUMBERS


def test_cells_of_every_kind_become_texts(tmp_path: Path) -> None:
    """Days, stamps, times, flags and texts, from the first line and column on."""
    cells = ["Roll", dt.date(2024, 3, 4), STAMP, dt.time(8), 2.5, True]
    book = openpyxl.Workbook()
    sheet = book["Sheet"]
    for column, cell in enumerate(cells, 2):
        sheet.cell(2, column, cell)
    book.save(tmp_path / "book.xlsx")
    (grid,) = open_workbook(tmp_path / "book.xlsx").grids
    texts = ["Roll", "2024-03-04", "2024-03-04 08:15:00", "08:00", "25e-1", "1"]
    assert grid.rows == [[""] * 7, ["", *texts]]
    assert grid.source == f"{tmp_path / 'book.xlsx'}, sheet 'Sheet'"


def test_formulas_have_their_error_or_themselves(tmp_path: Path) -> None:
    """Not an empty cell, nor 0, as if nothing had been sold."""
    path = xlsx_of(tmp_path / "book.xlsx", {"A&B": [["x", "#REF!", "=1+1"], [None, "#N/A"]]})
    assert open_workbook(path).grids[0].rows == [["x", "#REF!", "=1+1"], ["", "#N/A"]]
    error = 'table:formula="of:=1/0" office:value-type="float" office:value="0"'
    fine = '<table:table-cell office:value-type="string"><text:p>x</text:p></table:table-cell>'
    cell = f'<table:table-cell {error} calcext:value-type="error"><text:p>#DIV/0!</text:p>'
    row = f"<table:table-row>{fine}{cell}</table:table-cell></table:table-row>"
    table = f'<table:table table:name="A"><table:table-row>{fine}</table:table-row>{row}'
    path = ods_file(tmp_path / "book.ods", f"{table}</table:table>")
    assert open_workbook(path).grids[0].rows == [["x", ""], ["x", "#DIV/0!"]]


def test_sheets_without_cells_are_left_out(tmp_path: Path) -> None:
    """And named."""
    book = open_workbook(xlsx_of(tmp_path / "book.xlsx", {"A": [["x"]], "B": []}))
    assert [grid.name for grid in book.grids] == ["A"]
    assert (book.left_out, book.names) == (("B",), ("A", "B"))


def far_xlsx(path: Path) -> None:
    book = openpyxl.Workbook()
    book["Sheet"]["A1"] = book["Sheet"]["XFD1048576"] = 1
    book.save(path)


def far_ods(path: Path) -> None:
    cell = '<table:table-cell office:value-type="float" office:value="1" '
    cells = f'{cell}table:number-columns-repeated="16384"/>'
    row = f'<table:table-row table:number-rows-repeated="1048576">{cells}</table:table-row>'
    ods_file(path, f'<table:table table:name="A">{row}</table:table>')


def a_lying_zip(path: Path) -> None:
    xlsx_of(path, {"A": [["x"] * 50] * 50})
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02") + 24  # the size of the first file once unpacked
    data[at : at + 4] = (1).to_bytes(4, "little")
    path.write_bytes(data)


def zip_of(**members: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        for name, text in members.items():
            file.writestr(name.replace("__", "/").replace("_", "."), text)
    return held.getvalue()


ENCRYPTED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le")
ENCRYPTED_ODS = zip_of(
    mimetype="application/vnd.oasis.opendocument.spreadsheet",
    content_xml="...",
    **{"META-INF__manifest_xml": "<manifest:encryption-data/>"},
)
BAD: dict[str, tuple[bytes | Callable[[Path], object], str]] = {
    "cut.xlsx": (b"PK\x03\x04rest", "a damaged workbook or zip file"),
    "no.xlsx": (b"hello", "a damaged workbook; wanted a whole workbook"),
    "ole.xls": (b"\xd0\xcf\x11\xe0" + bytes(2000), "a damaged workbook (Cannot detect"),
    "page.xls": (b"<html><table>", "a web page that is called a workbook; wanted a workbook; open"),
    "zip.xlsx": (zip_of(a_txt="hi"), "a zip file without a workbook"),
    "b.xlsb": (zip_of(xl__workbook_bin=""), "an .xlsb workbook"),
    "locked.xlsx": (ENCRYPTED, "a workbook with a password; wanted one without"),
    "locked.ods": (ENCRYPTED_ODS, "a workbook with a password"),
    "far.xlsx": (far_xlsx, "cells as far out as line 1,048,576 and column 16,384"),
    "far.ods": (far_ods, "cells as far out as line 1,048,576 and column 16,384"),
    "lying.xlsx": (a_lying_zip, "Bad CRC-32"),
    "empty.ods": (lambda path: ods_of(path, {"A": []}), "a workbook with nothing in its sheets"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_says_so(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """In one sentence, and the library says nothing beside it."""
    made, words = BAD[name]
    path = tmp_path / name
    if isinstance(made, bytes):
        path.write_bytes(made)
    else:
        made(path)
    with pytest.raises(SalesError) as caught:
        open_workbook(path)
    assert words in str(caught.value)
    assert len(caught.value.problems) == 1
    assert capfd.readouterr().err == ""


def test_workbooks_beyond_the_limit_of_any_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once unpacked: a small file may hold gigabytes of nothing."""
    path = xlsx_of(tmp_path / "book.xlsx", {"A": [["x"]]})
    monkeypatch.setattr("glean.sales.reading.workbook_parts.MOST_BYTES", 1000)
    with pytest.raises(SalesError, match="once unpacked"):
        open_workbook(path)


def test_damaged_workbooks_are_read_or_refused(tmp_path: Path) -> None:
    """Whatever bytes are wrong: never a traceback, never the end of the process."""
    draw = np.random.default_rng(0)
    rows: Rows = [["Datum", "Menge"], *[[f"{day}.3.2024", "5"] for day in range(1, 30)]]
    whole = xlsx_of(tmp_path / "book.xlsx", {"A": rows}).read_bytes()
    refused = 0
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(draw.choice([1, 5, 50])):
            data[draw.integers(len(data))] = draw.integers(256)
        (tmp_path / "damaged.xlsx").write_bytes(data[: draw.integers(len(data))])
        try:
            open_workbook(tmp_path / "damaged.xlsx")
        except SalesError:
            refused += 1
    assert refused > 30


def test_what_is_a_workbook(tmp_path: Path) -> None:
    """By its bytes; a text that a till calls .xls is none, nor is what isn't there."""
    book = xlsx_of(tmp_path / "book.csv", {"A": [["x"]]})
    (tmp_path / "text.xls").write_text("Datum;Menge\n")
    (tmp_path / "text.csv").write_text("Datum;Menge\n")
    (tmp_path / "folder.xlsx").mkdir()
    assert is_workbook(book)
    for name in ("text.xls", "text.csv", "folder.xlsx", "nowhere.xlsx"):
        assert not is_workbook(tmp_path / name), name
    with pytest.raises(SalesError, match="`glean data import` reads workbooks"):
        read_sales(book)
