"""Small inputs that once went wrong, in a folder beside the repository, give what is right."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from glean.cli.data import app
from glean.errors import SalesError
from glean.sales.known_future import read_future_file
from glean.sales.products import read_products, unsold_products
from glean.sales.reading.sales_file import read_sales
from glean.sales.table import SalesTable

CASES = os.environ.get("GLEAN_CASES", "")

pytestmark = pytest.mark.skipif(not CASES, reason="GLEAN_CASES names no folder with the cases")


def imported(name: str, words: str, folder: Path) -> tuple[SalesTable | None, str]:
    """Table, or None where it is refused, and what is said; "~" is a blank in an option."""
    out = folder / "table.csv"
    result = CliRunner().invoke(
        app,
        [
            "import",
            str(Path(CASES) / name),
            *(word.replace("~", " ") for word in words.split()),
            "--out",
            str(out),
        ],
    )
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return (read_sales(out) if out.exists() else None), result.output


@pytest.mark.parametrize(
    ("name", "words", "first", "units"),
    [
        ("c10_monthname.csv", "--date Date --product Item --units Qty", "2024-03-20", 20.0),
        ("c10b_weekday.csv", "--date Datum --product Artikel --units Menge", "2024-03-20", 20.0),
        ("c10c_commatime.csv", "--date Date --product Item --units Qty", "2024-03-20", 20.0),
        ("c11_serial.csv", "--date Date --product Item --units Qty", "2024-03-20", 20.0),
    ],
)
def test_dates(name: str, words: str, first: str, units: float, tmp_path: Path) -> None:
    """Month names, a weekday before, a comma before the time, Excel's days."""
    table, _ = imported(name, words, tmp_path)
    assert table is not None
    rows = table.rows
    assert len(rows) == 40
    assert (str(rows["date"][0].date()), rows["units"][0]) == (first, units)
    assert (rows["date"].diff().dropna().dt.days == 1).all()


def test_marks_by_column(tmp_path: Path) -> None:
    """Units 100.000 beside prices 0,45 are asked for, and read as told."""
    words = "--date Datum --product Artikel --units Menge --keep Preis=price"
    refused, said = imported("c05_mixdec.csv", words, tmp_path)
    assert refused is None
    assert "--decimal Menge=. or --decimal Menge=," in said
    table, _ = imported("c05_mixdec.csv", words + " --decimal Menge=.", tmp_path)
    assert table is not None
    assert (table.rows["units"][0], table.rows["price"][0]) == (100.0, 0.45)


def test_negative_numbers_and_currencies(tmp_path: Path) -> None:
    """Brackets and a minus before the dollar are returns; euros beside dollars are refused."""
    words = "--date Date --product Item --units"
    table, _ = imported("c16c_neg.csv", f"{words} Net~Sales --returns net", tmp_path)
    assert table is not None
    assert table.rows["units"][0] == 17.0
    refused, said = imported("c16b_currency.csv", f"{words} Net~Sales", tmp_path / "other")
    assert refused is None
    assert "one currency in a column" in said


def test_one_name_composed_and_decomposed(tmp_path: Path) -> None:
    """It is one product."""
    words = "--date Datum --product Artikel --units Menge"
    table, _ = imported("c01_nfd.csv", words, tmp_path)
    assert table is not None
    assert len(set(table.rows["product"])) == 1


def test_product_lists(tmp_path: Path) -> None:
    """Writings that an import reads are read; doubtful ones are refused by place."""
    for name in ("prod_cp1252.csv", "prod_sep.csv", "prod_currency.csv"):
        listed = read_products(Path(CASES) / name)
        assert (listed["Roll"].price, listed["Roll"].cost) == (0.5, 0.1)
        assert "Br\u00f6tchen" in listed or name != "prod_cp1252.csv"
    for name, said in (
        ("prod_twice.csv", "column 'price': found this column twice"),
        ("prod_comma.csv", "line 2: found 4 values"),
        ("prod_names.csv", "column 'expected_units': found numbers like 1,200"),
    ):
        with pytest.raises(SalesError, match=said):
            read_products(Path(CASES) / name)
    text = (Path(CASES) / "prod_names.csv").read_text(encoding="utf-8")
    path = tmp_path / "products.csv"
    path.write_text(text.replace('"1,200"', "1200").replace('"4,20","1,10"', "4.2,1.1"))
    near = unsold_products(read_products(path), ["Roll", "Croissant", "Rye loaf", "Pretzel"])
    assert near == {"roll": ["Roll"], "Croisant": ["Croissant"]}


def test_nein_in_the_coming_days() -> None:
    """It is closed."""
    days = pd.date_range("2024-12-01", periods=28)
    path = Path(CASES) / "com_nein.csv"
    told = read_future_file(path, days=days, products=(), inputs=()).rows
    assert (str(told["date"][0].date()), told["open"][0]) == ("2024-12-25", 0.0)


def test_voids_and_overlaps(tmp_path: Path) -> None:
    """Voided lines don't count; five days of two overlapping months are asked about."""
    words = "--date Date --product Item --till-lines --quantity Qty"
    table, said = imported("c04_void.csv", words, tmp_path)
    assert table is not None
    assert set(table.rows["units"]) == {4.0}
    assert "40 voided lines" in said
    words = "--date Datum --product Artikel --till-lines --quantity Menge"
    refused, said = imported("c14b_overlap.csv", words, tmp_path / "other")
    assert refused is None
    assert "5 days (2024-04-09 to 2024-04-13) that stand twice" in said
    table, _ = imported("c14b_overlap.csv", f"{words} --overlap drop", tmp_path / "other")
    assert table is not None
    assert table.rows["units"].tolist() == [float(units) for units in range(100, 140)]


def test_workbooks_a_sheet_a_day(tmp_path: Path) -> None:
    """Two of them: one header, the day once a sheet, hours, totals, nameless lines, returns."""
    second = str(Path(CASES) / "till_day_sheets_2.xlsx")
    words = f"{second} --bakery-name N --returns net"
    table, said = imported("till_day_sheets_1.xlsx", words, tmp_path)
    assert table is not None, said
    rows = table.rows
    assert len(rows) == 160
    assert (rows["date"].nunique(), rows["product"].nunique()) == (20, 8)
    first = rows[(rows["date"] == "2024-03-04") & (rows["product"] == "Weizenbrötchen")]
    assert first["units"].tolist() == [67.0]
    assert "20 total lines (Summe)" in said
    assert "20 lines with a number and no product name" in said
    assert "6 negative values, taken off the day's sales" in said


def test_a_workbook_with_the_day_on_its_first_line(tmp_path: Path) -> None:
    """A title above the header, a total line below."""
    table, said = imported("monthly_merged_dates.xlsx", "", tmp_path)
    assert table is not None, said
    rows = table.rows
    assert (len(rows), rows["date"].nunique()) == (120, 40)
    assert rows[rows["date"] == "2024-01-02"]["units"].tolist() == [121.0, 17.0, 41.0]
    assert "filled down over 80 lines" in said
    assert "1 total line (Summe)" in said


def test_local_days(tmp_path: Path) -> None:
    """UTC stamps of a bakery closed on Mondays; sales after midnight."""
    words = "--date created_at --product item --till-lines --quantity qty"
    table, said = imported("c02c_sydney.csv", words, tmp_path)
    assert table is not None
    assert "are in UTC; --timezone" in said
    words += " --timezone Australia/Sydney --force"
    table, _ = imported("c02c_sydney.csv", words, tmp_path)
    assert table is not None
    assert set(table.rows["date"].dt.day_of_week) == {1, 2, 3, 4, 5, 6}
    words = "--date Bonzeit --product Artikel --till-lines --quantity Menge --day-starts 04:00"
    table, _ = imported("c03_midnight.csv", words, tmp_path / "other")
    assert table is not None
    assert set(table.rows["units"]) == {65.0}
