"""What a table's products sell over time, against sums made by hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pytest

from glean.errors import GleanError
from glean.operations.tables.table_series import MOST_DAYS, MOST_PRODUCTS, table_series

Row = tuple[pd.Timestamp, str, str, float]

MONDAY = pd.Timestamp("2024-01-01")


def write(path: Path, rows: Iterable[Row]) -> Path:
    lines = [f"{day:%Y-%m-%d},{bakery},{product},{units}" for day, bakery, product, units in rows]
    path.write_text("\n".join(["date,bakery,product,units", *lines]) + "\n")
    return path


def day(number: int) -> pd.Timestamp:
    return MONDAY + pd.Timedelta(days=number)


def test_days_are_added_up_and_gaps_stay_gaps(tmp_path: Path) -> None:
    """Over the bakeries, or of one; what sells most comes first."""
    rows = [
        (day(0), "a", "roll", 10.0),
        (day(0), "b", "roll", 5.0),
        (day(0), "a", "bun", 2.0),
        (day(2), "a", "bun", 3.0),
        (day(2), "b", "roll", 7.0),
    ]
    path = write(tmp_path / "sales.csv", rows)
    both = table_series(path)
    assert both.days == ("2024-01-01", "2024-01-02", "2024-01-03")
    assert [(one.product, one.units) for one in both.products] == [
        ("roll", (15.0, None, 7.0)),
        ("bun", (2.0, None, 3.0)),
    ]
    one = table_series(path, "a")
    assert [(item.product, item.units) for item in one.products] == [
        ("roll", (10.0, None, None)),
        ("bun", (2.0, None, 3.0)),
    ]


def test_long_tables_are_drawn_by_the_week(tmp_path: Path) -> None:
    """Each as the mean of its days with rows, so that the last one isn't low for being short."""
    rows = [(day(n), "a", "roll", 20.0) for n in range(MOST_DAYS + 1) if n % 7 != 6]
    found = table_series(write(tmp_path / "sales.csv", rows))
    assert found.step == "week"
    assert found.days[:2] == ("2024-01-01", "2024-01-08")
    assert set(found.products[0].units) == {20.0}


def test_what_sells_little_is_one_line(tmp_path: Path) -> None:
    """With all that is sold."""
    count = MOST_PRODUCTS + 3
    rows = [(day(0), "a", f"product {n}", 10.0 + n) for n in range(count)]
    found = table_series(write(tmp_path / "sales.csv", rows)).products
    assert [one.product for one in found] == [
        *(f"product {n}" for n in reversed(range(3, count))),
        "",
    ]
    assert sum(one.units[0] or 0 for one in found) == sum(10.0 + n for n in range(count))


def test_a_bakery_that_is_not_in_it_is_named(tmp_path: Path) -> None:
    """As the table is."""
    path = write(tmp_path / "sales.csv", [(day(0), "a", "roll", 1.0)])
    with pytest.raises(GleanError, match=r"sales\.csv: found no bakery 'c'"):
        table_series(path, "c")
