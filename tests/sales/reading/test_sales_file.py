"""Sales files: read, defaults filled in, returns netted, written and read back."""

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
from glean.sales.synthetic.bakeries import synthetic_bakery
from glean.sales.synthetic.files import write_synthetic
from glean.sales.table import SalesTable
from glean.sales.writing import write_sales
from tests.sales.reading.sales_files import GOOD, file_of, message_of


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


@pytest.mark.parametrize(("no", "yes"), [("0", "1"), ("no", "Yes"), ("nein", "ja"), ("non", "oui")])
def test_flags_may_be_words(no: str, yes: str, tmp_path: Path) -> None:
    """In three languages, as everywhere a flag stands."""
    path = file_of(tmp_path, f"date,units,promotion\n2024-05-01,3,{no}\n2024-05-02,4,{yes}\n")
    assert read_sales(path).rows["promotion"].tolist() == [0.0, 1.0]
