"""Files that can't be read: every problem is named by line and column."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from glean.errors import SalesError
from glean.sales.reading.sales_file import read_sales
from glean.sales.reading.sheet import MOST_SHOWN
from tests.sales.reading.sales_files import GOOD, HEADER, file_of, message_of, with_cell

BAD_FILES: dict[str, tuple[bytes | str, list[str]]] = {
    "empty": (b"", ["an empty file", "a header line"]),
    "blank": (b"\n \n\n", ["an empty file"]),
    "header only": (HEADER, ["a header and no lines", "at least one line"]),
    "BOM": (b"\xef\xbb\xbf" + GOOD.encode(), ["line 1", "byte order mark", "glean data import"]),
    "UTF-16": (GOOD.encode("utf-16"), ["UTF-16", "wanted UTF-8", "glean data import"]),
    "UTF-16 bare": (GOOD.encode("utf-16-le"), ["UTF-16", "glean data import"]),
    "cp1252": (
        GOOD.replace("Rolls", "Brötchen").encode("cp1252"),
        ["line 2", "text that isn't UTF-8", "glean data import"],
    ),
    "semicolon": (GOOD.replace(",", ";"), ["a semicolon between", "wanted a comma"]),
    "tab": (GOOD.replace(",", "\t"), ["a tab between", "wanted a comma", "glean data import"]),
    "bar": (GOOD.replace(",", "|"), ["a bar between", "wanted a comma"]),
    "no date": (GOOD.replace("date,", "day,"), ["column 'date'", "--date", "columns day, bakery"]),
    "no units": (GOOD.replace("units", "sold"), ["column 'units'", "--units"]),
    "capitals": (GOOD.replace("units", "Units"), ["'Units' is nearly it", "lower case"]),
    "column twice": (GOOD.replace("price", "units"), ["line 1", "this column twice"]),
    "too many values": (GOOD + "2024-05-04,North,Rolls,1,5,0,,\n", ["line 4", "8 values", "7"]),
    "too few values": (GOOD + "2024-05-04,North\n", ["line 4", "2 values", "wanted 7"]),
    "one too many by semicolons": (
        (GOOD + "2024-05-04,North,Rolls,1,5,0,,\n").replace(",", ";"),
        ["line 4", "8 values", "a semicolon inside a name or number goes in quotes"],
    ),
    "one value": (GOOD + "2024-05-04\n", ["line 4", "found 1 value ('2024-05-04')"]),
    "title": ("Sales of North\n" + GOOD, ["line 1", "'Sales of North'", "seems to be a title"]),
    "open quote": (GOOD + '2024-05-04,"North,Rolls,1,,0,\n', ["line 4", "a broken line"]),
    "workbook": (b"PK\x03\x04rest", ["a workbook or zip file", "save the sheet as CSV"]),
    "day twice": (
        GOOD + "2024-05-02,North,Rolls,3,,0,\n",
        ["line 4", "column 'date'", "'2024-05-02'", "line 2 has it", "--till-lines"],
    ),
}


def test_a_packed_file_that_unpacks_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a small file only so much is unpacked as a table can have."""
    monkeypatch.setattr("glean.sales.reading.text_files.MOST_BYTES", 1000)
    path = tmp_path / "sales.csv.gz"
    path.write_bytes(gzip.compress(GOOD.encode() + b"\n" * 100_000))
    with pytest.raises(SalesError, match=r"can't be read .*larger than .* once unpacked"):
        read_sales(path)


BAD_CELLS: list[tuple[str, str, list[str]]] = [
    ("date", "02.05.2024", ["'02.05.2024'", "a date like 2019-07-01"]),
    ("date", "2024-02-30", ["'2024-02-30'", "a date like", "there is no such day"]),
    ("date", "2024-13-01", ["'2024-13-01'", "there is no such day"]),
    ("date", "1899-12-30", ["'1899-12-30'", "the year from 1970 to 2100"]),
    ("date", "2205-01-01", ["'2205-01-01'", "the year from 1970 to 2100"]),
    ("date", "20240502", ["'20240502'", "a date like"]),
    ("date", "0024-05-02", ["'0024-05-02'", "a date like"]),
    ("date", "", ["found nothing", "a date like"]),
    ("bakery", " ", ["found nothing", "the name of a bakery"]),
    ("bakery", "(all)", ["'(all)'", "stands for all bakeries"]),
    ("bakery", '"No\nrth"', ["a name on one line"]),
    ("product", "", ["found nothing", "the name of a product"]),
    ("product", "Ro\x00lls", ["a name on one line"]),
    ("units", "-3", ["'-3'", "--returns net", "--returns drop"]),
    ("units", "", ["found nothing", "an open day without a sale has 0, a closed day has no line"]),
    ("units", "inf", ["'inf'", "a finite number"]),
    ("units", "-inf", ["'-inf'", "a finite number"]),
    ("units", "nan", ["'nan'", "a finite number"]),
    ("units", "NaN", ["'NaN'", "a finite number"]),
    ("units", "1e999", ["'1e999'", "below a million million"]),
    ("units", "twelve", ["'twelve'", "a number with a decimal point"]),
    ("units", "12 pcs", ["'12 pcs'", "a number"]),
    ("units", "1_000", ["'1_000'", "a number"]),
    ("units", "\u0663", ["a number"]),
    ("units", '"12,5"', ["'12,5'", "a decimal point", "glean data import"]),
    ("units", '"1.234,5"', ["'1.234,5'", "a decimal point"]),
    ("price", "NULL", ["'NULL'", "or nothing"]),
    ("price", "nan", ["a finite number, or nothing"]),
    ("promotion", "2", ["'2'", "0 or 1"]),
    ("promotion", "maybe", ["'maybe'", "0 or 1, or yes or no"]),
    ("promotion", "", ["found nothing", "0 or 1"]),
    ("sold_out_at", "25:00", ["'25:00'", "a time like 14:30"]),
    ("sold_out_at", "half past", ["a time like 14:30"]),
]


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_say_what_is_wrong(name: str, tmp_path: Path) -> None:
    """Each way to spoil a file has a message with what was found and what to do."""
    content, words = BAD_FILES[name]
    message = message_of(file_of(tmp_path, content))
    assert "shop.csv" in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(("column", "cell", "words"), BAD_CELLS)
def test_bad_cells_are_named_by_line_and_column(
    column: str, cell: str, words: list[str], tmp_path: Path
) -> None:
    """Each way to spoil a cell gives one problem with its line, column, value and remedy."""
    path = file_of(tmp_path, with_cell(column, cell))
    with pytest.raises(SalesError) as caught:
        read_sales(path)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (2, column)
    for word in words:
        assert word in str(problem)


def test_every_problem_comes_in_one_go(tmp_path: Path) -> None:
    """A file with many faults names them all, in the order of its lines."""
    text = (
        "\ufeffdate;bakery;product;units;promotion\n"
        "01.02.2024;A;x;5;0\n"
        "2024-02-01;;x;-1;2\n"
        "2024-02-02;A;x\n"
        "\n"
        "2024-02-03;A;x;1,5;0\n"
        "2024-02-04;A;x;1;0\n"
        "2024-02-04;A;x;2;1\n"
    )
    with pytest.raises(SalesError) as caught:
        read_sales(file_of(tmp_path, text))
    places = [(problem.line, problem.column) for problem in caught.value.problems]
    assert places == [
        (1, ""),  # the byte order mark
        (1, ""),  # the delimiter
        (2, "date"),
        (3, "bakery"),
        (3, "promotion"),
        (3, "units"),
        (4, ""),
        (6, "units"),
        (8, "date"),
    ]


def test_long_lists_are_cut_short_and_counted(tmp_path: Path) -> None:
    """Of 50 lines with the same fault 20 are listed; then a problem says how many more."""
    lines = [f"{day:%Y-%m-%d},many\n" for day in pd.date_range("2024-01-01", periods=50)]
    with pytest.raises(SalesError) as caught:
        read_sales(file_of(tmp_path, "date,units\n" + "".join(lines)))
    problems = caught.value.problems
    assert len(problems) == MOST_SHOWN + 1
    assert problems[-1].line == MOST_SHOWN + 2
    assert "30 more lines" in problems[-1].found


def test_line_numbers_hold_behind_quoted_line_breaks(tmp_path: Path) -> None:
    """A cell over two lines and an empty line don't shift the numbers of later lines."""
    text = 'date,note,units\n2024-01-01,"a\nb",1\n\n2024-01-02,c,x\n'
    assert "line 5, column 'units': found 'x'" in message_of(file_of(tmp_path, text))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    """A path without a file, and a folder, are said to be so."""
    assert "no such file" in message_of(tmp_path / "nowhere.csv")
    assert "a folder" in message_of(tmp_path)


def test_damaged_gzip_and_parquet(tmp_path: Path) -> None:
    """Cut or scrambled archives are named as damaged."""
    packed = gzip.compress(GOOD.encode())
    assert "damaged gzip" in message_of(file_of(tmp_path, packed[:30], "a.csv.gz"))
    assert "damaged gzip" in message_of(file_of(tmp_path, b"plain text", "b.csv.gz"))
    assert "damaged parquet" in message_of(file_of(tmp_path, b"PAR1 and more", "c.parquet"))
    assert "damaged parquet" in message_of(file_of(tmp_path, b"", "d.parquet"))


def test_parquet_of_mixed_types(tmp_path: Path) -> None:
    """Columns of lists are refused by type; texts in units by row, and inf as in CSV."""
    path = tmp_path / "shop.parquet"
    pd.DataFrame({"date": ["2024-01-01"], "units": [[1.0, 2.0]]}).to_parquet(path)
    assert "column 'units': found the type list" in message_of(path)
    pd.DataFrame({"date": ["2024-01-01", "2024-01-02"], "units": ["3", "x"]}).to_parquet(path)
    assert "line 2, column 'units': found 'x'" in message_of(path)
    frame = pd.DataFrame({"date": pd.to_datetime(["2024-01-01 10:00", "2024-01-02 00:00"])})
    frame.assign(units=[1.0, float("inf")]).to_parquet(path)
    message = message_of(path)
    assert "line 1, column 'date'" in message
    assert "line 2, column 'units': found 'inf'" in message
