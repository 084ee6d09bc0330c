"""Firm orders: on which days, how many, and what of the sales is left of those who walk in."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.sales.firm_orders import FirmOrder, ordered_on, walk_in_sales
from tests.tables import random_table

MONDAY = dt.date(2023, 1, 2)
TABLE = random_table(days=28)


@given(
    st.integers(0, 60),
    st.integers(-1, 40),
    st.frozensets(st.integers(0, 6)),
    st.integers(-10, 120),
)
def test_an_order_is_for_its_weekdays_between_its_days(
    begin: int, length: int, weekdays: frozenset[int], asked: int
) -> None:
    """Against a list of all its days."""
    first = MONDAY + dt.timedelta(days=begin)
    order = FirmOrder("roll", 3.0, first, first + dt.timedelta(days=length), weekdays)
    days = [first + dt.timedelta(days=k) for k in range(length + 1)]
    day = MONDAY + dt.timedelta(days=asked)
    assert order.is_on(day) == (day in [one for one in days if one.weekday() in weekdays])


def test_orders_of_a_day_add_up() -> None:
    """By product; one that has ended isn't among them."""
    orders = [
        FirmOrder("roll", 30.0, MONDAY, MONDAY),
        FirmOrder("roll", 20.0, MONDAY, None, frozenset({0})),
        FirmOrder("loaf", 2.0, MONDAY, None, frozenset({1})),
    ]
    assert ordered_on(orders, MONDAY) == {"roll": 50.0}
    assert ordered_on(orders, MONDAY + dt.timedelta(days=7)) == {"roll": 20.0}


def test_only_what_was_rung_up_is_taken_off_the_sales() -> None:
    """Of its own product and days; never below nothing."""
    order = FirmOrder("product 0", 5.0, MONDAY, None, frozenset({0}), rung_up=True)
    much = FirmOrder("product 1", 1e6, MONDAY, MONDAY, rung_up=True)
    apart = FirmOrder("product 1", 9.0, MONDAY, None)
    assert walk_in_sales(TABLE, [apart]) is TABLE
    found = walk_in_sales(TABLE, [order, much, apart]).rows
    before = TABLE.rows[["date", "product", "units"]].to_numpy().tolist()
    after = found["units"].tolist()
    for (date, product, units), left in zip(before, after, strict=True):
        taken = 5.0 if product == "product 0" and date.day_of_week == 0 else 0.0
        taken = 1e6 if product == "product 1" and date.date() == MONDAY else taken
        assert left == pytest.approx(max(units - taken, 0.0))
