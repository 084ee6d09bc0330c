from __future__ import annotations

import pandas as pd
import pytest

from glean.features.definition import MIN_LEVEL_DAYS
from glean.sales.quality.histories import FORECAST_FROM_DAY, short_histories, trading_days
from glean.sales.reading.day_rows import table_of
from glean.sales.table import SalesTable


def rows_of(bakery: str, days: int, product: str = "Rolls") -> pd.DataFrame:
    dates = pd.date_range("2024-01-01", periods=days)
    return pd.DataFrame({"date": dates, "bakery": bakery, "product": product, "units": 5.0})


def test_of_gives_one_bakery_with_fresh_index() -> None:
    """A bakery's part of a table has its rows only, counted from 0."""
    table = SalesTable(pd.concat([rows_of("A", 3), rows_of("B", 2)], ignore_index=True))
    part = table.of("B")
    assert part.bakeries == ("B",)
    assert list(part.rows.index) == [0, 1]


def test_table_of_sorts_by_name_as_text_and_by_date() -> None:
    """Bakery "10" stands before "2", whatever the order of the rows, and days ascend."""
    rows = pd.concat([rows_of("2", 3), rows_of("10", 3, "b"), rows_of("10", 3, "a")])
    table = table_of(rows.sample(frac=1.0, random_state=3))
    slow = sorted(zip(rows["bakery"], rows["product"], rows["date"], strict=True))
    fast = table.rows
    assert list(zip(fast["bakery"], fast["product"], fast["date"], strict=True)) == slow
    assert list(fast.index) == list(range(9))


def test_table_of_orders_columns_as_the_format() -> None:
    """Known columns come in the format's order, further ones after them."""
    rows = rows_of("A", 1)[["units", "product", "bakery", "date"]].assign(wind=1.0, price=2.0)
    columns = list(table_of(rows).rows)
    assert columns == ["date", "bakery", "product", "units", "price", "wind"]


@pytest.mark.parametrize(("days", "short"), [(13, True), (14, False)])
def test_short_histories_are_named(days: int, short: bool) -> None:
    """Fewer than 14 trading days are too few, and the bakery is named with its days."""
    twice = pd.concat([rows_of("A", days), rows_of("A", days, "Bread"), rows_of("B", 40)])
    table = SalesTable(twice)
    found = short_histories(table)
    assert [(history.bakery, history.trading_days) for history in found] == [("A", days)] * short
    for history in found:
        assert "A has 13 trading days; before it has 14 it is not trained on" in str(history)
        assert "forecast from their 7th trading day on" in str(history)
    assert FORECAST_FROM_DAY == MIN_LEVEL_DAYS
    assert trading_days(table) == {"A": days, "B": 40}
