"""A table grows by exports and evenings: nothing is lost, what can't be read changes nothing."""

from __future__ import annotations

import datetime as dt
import gzip
from pathlib import Path

import pandas as pd
import pytest

from glean.errors import GleanError
from glean.operations.shop.grow_table import (
    MOST_COPIES,
    BakeryTable,
    ClosedDay,
    grow_by_day,
    grow_by_export,
    sold_of_late,
)
from glean.sales.reading.sales_file import read_sales

TABLE = """date,bakery,product,units,price,sold_out_at
2026-11-27,Hansen,Roll,100,0.5,
2026-11-28,Hansen,Roll,120,0.5,14:30
2026-11-28,Hansen,Loaf,20,4,
2026-11-28,Other,Roll,9,0.6,
"""
TILL = """Datum;Artikel;Menge
28.11.2026;Roll;125
28.11.2026;Loaf;20
30.11.2026;Roll;90
30.11.2026;Loaf;18
30.11.2026;Pretzel;40
"""


@pytest.fixture
def table(tmp_path: Path) -> BakeryTable:
    sales = tmp_path / "sales.csv"
    sales.write_text(TABLE, "utf-8")
    return BakeryTable(sales, "Hansen", copies=tmp_path / "copies")


def export(tmp_path: Path, text: str = TILL, name: str = "till.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


def units(table: BakeryTable) -> dict[tuple[str, str, str], float]:
    rows = read_sales(table.sales).rows
    days = rows["date"].dt.strftime("%m-%d")
    keys = zip(days, rows["bakery"], rows["product"], strict=True)
    return dict(zip(keys, rows["units"], strict=True))


def test_an_export_adds_and_changes_and_loses_nothing(table: BakeryTable, tmp_path: Path) -> None:
    """Prices and sold-out times that the till doesn't tell stay; another bakery's rows too."""
    grown = grow_by_export(table, export(tmp_path), tmp_path / "layout.json")
    assert (grown.added, grown.changed, grown.new_products) == (3, 1, ("Pretzel",))
    assert (grown.first_day, grown.last_day) == (dt.date(2026, 11, 28), dt.date(2026, 11, 30))
    assert units(table) == {
        ("11-27", "Hansen", "Roll"): 100,
        ("11-28", "Hansen", "Roll"): 125,
        ("11-28", "Hansen", "Loaf"): 20,
        ("11-30", "Hansen", "Roll"): 90,
        ("11-30", "Hansen", "Loaf"): 18,
        ("11-30", "Hansen", "Pretzel"): 40,
        ("11-28", "Other", "Roll"): 9,
    }
    rows = read_sales(table.sales).rows
    saturday = rows[(rows["date"] == "2026-11-28") & (rows["units"] == 125)].iloc[0]
    assert (saturday["price"], saturday["sold_out_at"]) == (0.5, "14:30")


def test_the_same_export_again_changes_no_byte(table: BakeryTable, tmp_path: Path) -> None:
    grow_by_export(table, export(tmp_path), tmp_path / "layout.json")
    before = table.sales.read_bytes()
    grown = grow_by_export(table, export(tmp_path), tmp_path / "layout.json")
    assert (grown.added, grown.changed) == (0, 0)
    assert table.sales.read_bytes() == before


def test_the_layout_is_remembered_and_another_one_found(table: BakeryTable, tmp_path: Path) -> None:
    layout = tmp_path / "layout.json"
    grow_by_export(table, export(tmp_path), layout)
    first = layout.read_text("utf-8")
    assert "Artikel" in first
    other = "Day,Item,Sold\n2026-12-01,Roll,80\n2026-12-01,Loaf,11\n"
    grown = grow_by_export(table, export(tmp_path, other, "other.csv"), layout)
    assert grown.added == 2
    assert "Item" in layout.read_text("utf-8")


@pytest.mark.parametrize(
    "text", ["", "nonsense", "Datum;Artikel;Menge\n31.02.2026;Roll;9\n", "a,b\n1,2\n", "\0\0\0"]
)
def test_what_can_t_be_read_changes_nothing(table: BakeryTable, tmp_path: Path, text: str) -> None:
    before = table.sales.read_bytes()
    with pytest.raises(GleanError):
        grow_by_export(table, export(tmp_path, text), tmp_path / "layout.json")
    assert table.sales.read_bytes() == before
    assert not (tmp_path / "layout.json").exists()


def test_another_bakery_s_export_is_refused(table: BakeryTable, tmp_path: Path) -> None:
    text = "Filiale;Datum;Artikel;Menge\nA;30.11.2026;Roll;1\nB;30.11.2026;Roll;2\n"
    before = table.sales.read_bytes()
    with pytest.raises(GleanError):
        grow_by_export(table, export(tmp_path, text), tmp_path / "layout.json")
    assert table.sales.read_bytes() == before


def test_a_table_with_columns_that_would_be_lost_is_refused(tmp_path: Path) -> None:
    sales = tmp_path / "sales.csv"
    sales.write_text("date,product,units,note\n2026-11-27,Roll,3,market\n", "utf-8")
    table = BakeryTable(sales, "", copies=tmp_path / "copies")
    with pytest.raises(GleanError, match="note"):
        grow_by_export(table, export(tmp_path), tmp_path / "layout.json")
    assert "market" in sales.read_text("utf-8")


def test_an_old_copy_is_kept_and_few_of_them(table: BakeryTable, tmp_path: Path) -> None:
    """Byte by byte what was there."""
    grow_by_export(table, export(tmp_path), tmp_path / "layout.json")
    (copy,) = table.copies.glob("*.gz")
    assert gzip.decompress(copy.read_bytes()).decode() == TABLE
    for day in range(1, MOST_COPIES + 3):
        grow_by_day(table, ClosedDay(dt.date(2026, 12, day), sold={"Roll": 1.0}))
    assert len(list(table.copies.iterdir())) == MOST_COPIES


def test_an_evening_is_added_where_the_till_says_nothing(table: BakeryTable) -> None:
    """Sold-out times go to days that are there, and change none of their units."""
    day = ClosedDay(dt.date(2026, 11, 28), {"Roll": 1.0, "Cake": 7.0}, {"Loaf": "16:00"})
    grown = grow_by_day(table, day)
    assert (grown.added, grown.changed) == (1, 0)
    rows = read_sales(table.sales).of("Hansen").rows
    of_day = rows[rows["date"] == pd.Timestamp("2026-11-28")].set_index("product")
    assert of_day["units"].to_dict() == {"Cake": 7.0, "Loaf": 20.0, "Roll": 120.0}
    assert of_day["sold_out_at"].to_dict() == {"Cake": "", "Loaf": "16:00", "Roll": "14:30"}


def test_what_was_sold_of_late_is_told(table: BakeryTable) -> None:
    assert sold_of_late(table) == {
        "2026-11-27": {"Roll": 100.0},
        "2026-11-28": {"Loaf": 20.0, "Roll": 120.0},
    }
