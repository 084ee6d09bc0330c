"""What a plan says of the sales behind it, before its numbers."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from glean.operations.planning.bakery_context import make_context
from glean.operations.planning.plan import make_plan
from glean.operations.planning.plan_remarks import MOST_OUTLIERS
from glean.sales.table import SalesTable
from tests.forecasting.test_future_rows import LAST, MODEL, TABLE

ROLL = "product 0"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.ubj"
    path.write_bytes(MODEL.to_bytes())
    return path


def sold(days_ago: int, units: float, *, product: str = ROLL) -> SalesTable:
    """The table, but for so many units of one product on one day."""
    day = LAST - pd.Timedelta(days=days_ago)
    there = (TABLE.rows["date"] == day) & (TABLE.rows["product"] == product)
    assert there.sum() == 1
    return SalesTable(TABLE.rows.assign(units=TABLE.rows["units"].where(~there, units)))


def test_usual_sales_need_no_remark(model: Path) -> None:
    made = make_plan(make_context(model, TABLE, products={}), {}, now=LAST)
    assert made.remarks == ()
    assert '<ul class="remarks"></ul>' in made.page


def test_an_order_of_ten_times_the_usual_is_named_and_moves_no_plan(model: Path) -> None:
    """In the table, in the page; the plan is that of a table without the day."""
    usual = TABLE.rows.loc[TABLE.rows["product"] == ROLL, "units"].median()
    table = sold(9, 10 * usual)
    day = LAST - pd.Timedelta(days=9)
    odd = (table.rows["date"] == day) & (table.rows["product"] == ROLL)
    made, without = (
        make_plan(make_context(model, each, products={}), {})
        for each in (table, SalesTable(table.rows[~odd].reset_index(drop=True)))
    )
    (remark,) = made.remarks
    assert remark.startswith(f"{day:%A} {day.day} {day:%B}: {10 * usual:,.0f} of {ROLL}, where")
    assert remark in made.page
    found, wanted = (each.table.set_index("product") for each in (made, without))
    assert (found["expected"] / wanted["expected"] - 1).abs().max() <= 0.02
    assert (found["bake"] - wanted["bake"]).abs().max() <= 1


def test_the_largest_orders_are_named(model: Path) -> None:
    table = TABLE
    for days_ago in range(1, 12 * 4, 7):
        there = table.rows["date"] == LAST - pd.Timedelta(days=days_ago)
        units = table.rows["units"].where(~there, (20 + days_ago) * table.rows["units"])
        table = SalesTable(table.rows.assign(units=units))
    made = make_plan(make_context(model, table, products={}), {})
    assert len([text for text in made.remarks if "single order" in text]) == MOST_OUTLIERS


def test_half_a_last_day_is_named(model: Path) -> None:
    """All products together; one product that sold out isn't half a day."""
    last = TABLE.rows["date"] == LAST
    half = SalesTable(TABLE.rows.assign(units=TABLE.rows["units"].where(~last, 3.0)))
    (remark,) = make_plan(make_context(model, half, products={}), {}).remarks
    assert f"of a usual {LAST:%A}: was the day over" in remark
    assert make_plan(make_context(model, sold(0, 20.0), products={}), {}).remarks == ()


@pytest.mark.parametrize(
    ("days", "said"), [(3, ""), (4, "4 days ago"), (400, "400 days ago"), (-1, "days to come")]
)
def test_old_sales_and_days_to_come_are_named(days: int, said: str, model: Path) -> None:
    context = make_context(model, TABLE, products={})
    remarks = make_plan(context, {}, now=LAST + pd.Timedelta(days=days)).remarks
    assert [said in text for text in remarks] == ([True] if said else [])


def test_a_special_day_is_named_first_with_what_was_sold_on_it_a_year_ago(model: Path) -> None:
    days = pd.date_range("2023-10-01", "2024-12-20", freq="D")
    christmas = (days.month == 12) & (days.day == 24)
    rows = pd.DataFrame({"date": days, "bakery": "b", "product": "roll"})
    rows["units"] = 100.0 + days.day_of_week + 80.0 * christmas
    context = make_context(model, SalesTable(rows), products={}, region="DE-SH")
    day = pd.Timestamp("2024-12-24")
    assert make_plan(context, {}, date=day).remarks[0] == (
        "Tuesday 24 December is a special day. In 2023 the bakery sold 1.8 times the usual on it."
    )
    young = SalesTable(rows[rows["date"] > "2024-06-01"].reset_index(drop=True))
    context = make_context(model, young, products={}, region="DE-SH")
    assert "none of an earlier year" in make_plan(context, {}, date=day).remarks[0]
    assert make_plan(context, {}, date=pd.Timestamp("2024-12-21")).remarks == ()
