"""Sold-out days: demand is estimated from earlier days only, and the bias falls."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from glean.sales.stock_outs import sold_out, with_demand
from glean.sales.synthetic.bakeries import synthetic_bakery
from glean.sales.table import SalesTable
from tests.tables import random_table


def censored(seed: int = 0, *, baked: float = 45.0) -> tuple[SalesTable, np.ndarray]:
    """A table cut at what was baked, and the demand behind it."""
    rows = random_table(seed=seed, days=400).rows
    demand = rows["units"].to_numpy()
    out = demand > baked
    cut = rows.assign(units=np.minimum(demand, baked), sold_out_at=np.where(out, "15:00", ""))
    return SalesTable(cut), demand


def test_the_bias_of_synthetic_bakeries_falls_by_two_thirds() -> None:
    """Against the demand that only the maker of the table knows."""
    made = [synthetic_bakery(index) for index in range(8)]
    demand = sum(bakery.demand.sum() for bakery in made)
    before = sum(bakery.table.rows["units"].sum() for bakery in made) / demand - 1
    after = sum(with_demand(bakery.table).rows["units"].sum() for bakery in made) / demand - 1
    assert before < -0.005
    assert abs(after) <= abs(before) / 3


def test_only_sold_out_days_change_and_only_upwards() -> None:
    """What was sold is a lower bound; other days are what they were."""
    table, _ = censored()
    found = with_demand(table).rows["units"].to_numpy()
    units, out = table.rows["units"].to_numpy(), sold_out(table.rows)
    assert out.sum() > 50
    assert (found[out] >= units[out]).all()
    assert np.array_equal(found[~out], units[~out])


def test_an_estimate_sees_no_later_day() -> None:
    """Cutting the table off after a day leaves the estimates before it."""
    table, _ = censored()
    early = table.rows["date"] < pd.Timestamp("2023-10-01")
    whole = with_demand(table).rows["units"][early].to_numpy()
    part = with_demand(SalesTable(table.rows[early].reset_index(drop=True)))
    assert np.array_equal(part.rows["units"].to_numpy(), whole)


def test_an_order_moves_no_later_estimate() -> None:
    """Ten times the usual on one day, or no row for it: the days after it are the same."""
    table, _ = censored()
    rows = table.rows
    place = int(np.flatnonzero(rows["date"] == pd.Timestamp("2023-09-05"))[0])
    others = rows.index != place
    order = SalesTable(rows.assign(units=rows["units"].where(others, 10 * rows["units"])))
    missing = SalesTable(rows[others].reset_index(drop=True))
    with_it, without = (with_demand(each).rows["units"].to_numpy() for each in (order, missing))
    assert np.array_equal(with_it[others], without)


def test_estimates_scale_with_the_unit() -> None:
    """In dozens the same demand."""
    table, _ = censored()
    dozens = SalesTable(table.rows.assign(units=table.rows["units"] / 12))
    pieces = with_demand(table).rows["units"]
    assert (with_demand(dozens).rows["units"] * 12).to_numpy() == pytest.approx(pieces.to_numpy())


def test_a_table_that_does_not_say_comes_back_as_it_is() -> None:
    """Without the column, or without a sold-out day, nothing is estimated."""
    table = random_table()
    assert with_demand(table) is table
    none = SalesTable(table.rows.assign(sold_out_at=""))
    assert with_demand(none) is none
