"""Products that sell exactly the same every week."""

from __future__ import annotations

import numpy as np
import pandas as pd

from glean.sales.standing_orders import FEWEST_DAYS, standing_orders
from glean.sales.table import SalesTable


def table(units: list[float]) -> SalesTable:
    days = pd.date_range("2024-01-01", periods=len(units), freq="D")  # a Monday
    return SalesTable(pd.DataFrame({"date": days, "bakery": "b", "product": "bun", "units": units}))


def test_what_is_the_same_on_every_weekday_is_an_order() -> None:
    """By weekday; a day without any is none of its days."""
    week = [10.0, 10.0, 10.0, 10.0, 12.0, 30.0, 0.0]
    expected = {0: 10.0, 1: 10.0, 2: 10.0, 3: 10.0, 4: 12.0, 5: 30.0}
    assert standing_orders(table(week * 10)) == {"bun": expected}


def test_what_differs_once_of_late_is_none() -> None:
    """What was long ago doesn't matter, nor do days to come."""
    other = [10.0] * 100
    other[-20] = 11.0
    assert standing_orders(table(other)) == {}
    assert standing_orders(table([*other, *[10.0] * 60, *[np.nan] * 7])).keys() == {"bun"}


def test_few_days_make_no_order() -> None:
    assert standing_orders(table([10.0] * (FEWEST_DAYS - 1))) == {}
    assert standing_orders(table([10.0] * FEWEST_DAYS)).keys() == {"bun"}
