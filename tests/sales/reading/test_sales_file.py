from __future__ import annotations

import datetime as dt
import gzip
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.errors import SalesError, SettingsError
from glean.sales.reading.day_rows import table_of
from glean.sales.reading.sales_file import read_sales
from glean.sales.reading.sheet import MOST_SHOWN
from glean.sales.synthetic.bakeries import synthetic_bakery
from glean.sales.synthetic.files import write_synthetic
from glean.sales.table import SalesTable
from glean.sales.writing import write_sales

HEADER = "date,bakery,product,units,price,promotion,sold_out_at\n"
GOOD = HEADER + "2024-05-02,North,Rolls,41,0.45,0,\n2024-05-03,North,Rolls,38,,1,16:30\n"


def file_of(folder: Path, content: bytes | str, name: str = "shop.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def with_cell(column: str, cell: str) -> str:
    cells = dict(zip(HEADER.strip().split(","), GOOD.splitlines()[2].split(","), strict=True))
    return GOOD.splitlines()[0] + "\n" + ",".join((cells | {column: cell}).values()) + "\n"


def message_of(path: Path) -> str:
    with pytest.raises(SalesError) as caught:
        read_sales(path)
    assert caught.value.problems
    return str(caught.value)


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
    ("promotion", "yes", ["'yes'", "0 or 1"]),
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


@pytest.mark.parametrize(
    "title", ["Sales\n", "Sales;;;;;;\n", "\nSales, all of them\nMay 2024\n\n", "1.5.-2.5.\n"]
)
def test_a_title_is_told_once(title: str, tmp_path: Path) -> None:
    """Whatever stands above the column names is one problem, not one a line."""
    path = file_of(tmp_path, title + GOOD.replace(",", ";"))
    with pytest.raises(SalesError, match="delete what stands above the column names") as caught:
        read_sales(path)
    assert len(caught.value.problems) <= 2


def test_a_column_alone_is_no_title(tmp_path: Path) -> None:
    """Numbers with commas below one name are lines with a value too many, as before."""
    message = message_of(file_of(tmp_path, "units\n1,5\n2,5\n"))
    assert "2 values" in message
    assert "title" not in message


def test_lines_of_blanks_and_a_stated_delimiter_do_not_matter(tmp_path: Path) -> None:
    """A line of blanks is an empty one; `sep=,` above the header says what is so anyway."""
    first, *rest = GOOD.splitlines(keepends=True)
    path = file_of(tmp_path, "sep=,\r\n" + first + "  \n" + "".join(rest) + " , , \n")
    assert read_sales(path).rows["units"].tolist() == [41.0, 38.0]
    message = message_of(file_of(tmp_path, "sep=,\n" + GOOD.replace("41", "x")))
    assert "line 3, column 'units'" in message


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


def test_defaults_for_bakery_and_product(tmp_path: Path) -> None:
    """Without such columns the file is one bakery, named like it, with one product "all"."""
    packed = gzip.compress(b"units,date\n5,2024-05-02\n")
    table = read_sales(file_of(tmp_path, packed, "corner.shop.csv.gz"))
    assert table.bakeries == ("corner.shop",)
    assert list(table.rows["product"]) == ["all"]


def test_names_stay_text_and_further_columns_follow_their_cells(tmp_path: Path) -> None:
    """Bakery 01 stays "01"; a column of numbers is kept, one of text or without name isn't."""
    text = "date,bakery,units,wind,note,,dull\n2024-05-02,01,5,,hi,7,\n2024-05-03,01,6,2.5,,8,\n"
    rows = read_sales(file_of(tmp_path, text)).rows
    assert list(rows["bakery"]) == ["01", "01"]
    assert list(rows) == ["date", "bakery", "product", "units", "wind", "dull"]
    assert rows["wind"].isna().tolist() == [True, False]
    assert rows["units"].dtype == "float64"


@pytest.mark.parametrize(
    ("returns", "units"),
    [("net", {"2024-05-02": 7.0, "2024-05-03": 0.0}), ("drop", {"2024-05-02": 10.0})],
)
def test_returns_are_netted_or_dropped(
    returns: str, units: dict[str, float], tmp_path: Path
) -> None:
    """Netting takes off the same day and stops at 0; dropping leaves the line out."""
    text = "date,units\n2024-05-02,10\n2024-05-02,-3\n2024-05-03,-1\n"
    rows = read_sales(file_of(tmp_path, text), returns=returns).rows
    assert dict(zip(rows["date"].dt.strftime("%Y-%m-%d"), rows["units"], strict=True)) == units


def test_netting_leaves_other_days_and_real_repeats_alone(tmp_path: Path) -> None:
    """A day that stands twice without a return is still a problem."""
    text = "date,units\n2024-05-02,10\n2024-05-02,3\n2024-05-03,-1\n"
    with pytest.raises(SalesError, match="each day once"):
        read_sales(file_of(tmp_path, text), returns="net")
    with pytest.raises(SettingsError, match="wanted net or drop"):
        read_sales(file_of(tmp_path, text), returns="keep")


def test_synthetic_bakeries_read_back_the_same(tmp_path: Path) -> None:
    """The files of the generator hold what the generator gives in memory, types included."""
    (path,) = write_synthetic(tmp_path, 1)
    pd.testing.assert_frame_equal(read_sales(path).rows, synthetic_bakery(0).table.rows)


def test_the_name_of_a_file_is_checked_where_it_names_the_bakery(tmp_path: Path) -> None:
    """A file called (all) is refused without a column of bakeries, and fine with one."""
    text = "date,units\n2024-05-02,5\n"
    with pytest.raises(SalesError, match="stands for all bakeries"):
        read_sales(file_of(tmp_path, text, "(all).csv"))
    assert read_sales(file_of(tmp_path, GOOD, "(all).csv")).bakeries == ("North",)


NAMES = st.text(
    st.characters(min_codepoint=32, exclude_categories=["Cs"], exclude_characters="\x7f"),
    min_size=1,
    max_size=8,
).filter(lambda name: name.strip() and name != "(all)")
AMOUNTS = st.floats(0, 1e9).map(lambda amount: amount + 0.0)
KEYS = st.tuples(st.dates(dt.date(1971, 1, 1), dt.date(2099, 12, 31)), NAMES, NAMES)


@st.composite
def sales_tables(draw: st.DrawFn) -> SalesTable:
    keys = draw(st.lists(KEYS, min_size=1, max_size=12, unique=True))
    rows = pd.DataFrame(keys, columns=["date", "bakery", "product"])
    rows["date"] = pd.to_datetime(rows["date"]).astype("datetime64[us]")

    def column(cells: st.SearchStrategy[float | str]) -> list[float | str]:
        return draw(st.lists(cells, min_size=len(keys), max_size=len(keys)))

    rows["units"] = column(AMOUNTS)
    rows["price"] = column(AMOUNTS | st.just(float("nan")))
    rows["promotion"] = column(st.sampled_from([0.0, 1.0]))
    rows["sold_out_at"] = column(st.sampled_from(["", "09:05", "16:30:10"]))
    rows["wind"] = column(st.floats(-1e12, 1e12).map(lambda wind: wind + 0.0))
    return table_of(rows.astype({"price": "float64"}))


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet"])
@given(table=sales_tables())
@settings(max_examples=40)
def test_what_is_written_is_read_back_the_same(name: str, table: SalesTable) -> None:
    """Writing and reading a table gives it back to the last bit, in each format."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write_sales(table, path)
        pd.testing.assert_frame_equal(read_sales(path).rows, table.rows)
        first = path.read_bytes()
        write_sales(table, path, force=True)
        assert path.read_bytes() == first
