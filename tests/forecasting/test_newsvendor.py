"""The newsvendor's quantity against brute force, and what must hold of any plan."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.forecasting.newsvendor import bake_quantity
from glean.metrics import Floats
from glean.sales.products import Product

LEVELS = np.round(np.arange(0.01, 0.995, 0.01), 2)


def normal(mean: float, spread: float) -> Floats:
    """Quantiles of a normal distribution, not below zero."""
    from statistics import NormalDist

    return np.maximum([NormalDist(mean, spread).inv_cdf(level) for level in LEVELS], 0.0)


def profit(quantity: float, quantiles: Floats, price: float, cost: float) -> float:
    """Money earned on average, over days as likely as each other between the quantiles."""
    demand = np.interp(np.linspace(0.01, 0.99, 4001), LEVELS, quantiles)
    return float((price * np.minimum(demand, quantity)).mean() - cost * quantity)


@pytest.mark.parametrize("batch", [1, 6, 10, 24])
@pytest.mark.parametrize(("price", "cost"), [(1.0, 0.1), (1.0, 0.4), (3.0, 2.4)])
def test_whole_trays_are_those_that_earn_most(batch: int, price: float, cost: float) -> None:
    """Against every other number of trays; a tie, within a thousandth, may go either way."""
    quantiles = normal(70.0, 20.0)
    ratio = Product("x", price=price, cost=cost).critical_ratio
    planned = bake_quantity(LEVELS, quantiles, ratio=ratio, batch=batch)
    tried = [profit(k * batch, quantiles, price, cost) for k in range(math.ceil(160 / batch))]
    assert profit(planned, quantiles, price, cost) >= max(tried) * 0.999
    assert planned % batch == 0


@given(
    st.floats(0, 500), st.floats(0.1, 100), st.floats(0.02, 0.98), st.floats(0.02, 0.98),
    st.sampled_from([1.0, 6.0, 12.0]), st.sampled_from([0.0, 10.0, 50.0]),
)  # fmt: skip
def test_a_dearer_stock_out_never_lowers_a_plan(
    mean: float, spread: float, one: float, other: float, batch: float, minimum: float
) -> None:
    """Whatever the trays and the least that is worth baking."""
    quantiles = normal(mean, spread)
    low, high = (
        bake_quantity(LEVELS, quantiles, ratio=ratio, batch=batch, minimum=minimum)
        for ratio in sorted((one, other))
    )
    assert low <= high
    assert low % batch == 0
    assert low == 0 or low >= minimum


def test_pieces_are_the_quantile_rounded_up() -> None:
    """With a tray of one piece, nothing is left of the tray."""
    assert bake_quantity(LEVELS, normal(70.0, 20.0), ratio=0.8) == pytest.approx(87, abs=1)


def test_a_product_that_nobody_asks_for_is_not_baked() -> None:
    """Nor one whose minimum is beyond what would be sold."""
    nothing = np.zeros(len(LEVELS))
    assert bake_quantity(LEVELS, nothing, ratio=0.9) == 0
    assert bake_quantity(LEVELS, normal(8.0, 2.0), ratio=0.7, minimum=40) == 0
    assert bake_quantity(LEVELS, normal(35.0, 5.0), ratio=0.7, minimum=40) == 40


def test_two_day_goods_are_baked_more_daringly() -> None:
    """A left-over unit has another day to be sold: it costs half."""
    one, two = (Product("x", price=2.0, cost=1.0, shelf_life_days=d) for d in (1.0, 2.0))
    assert (one.critical_ratio, two.critical_ratio) == pytest.approx((1 / 2, 2 / 3))


def test_a_service_level_takes_the_place_of_prices() -> None:
    """And where neither is known, the usual one."""
    assert Product("x", price=2.0, cost=1.0, service_level=0.95).critical_ratio == 0.95
    assert Product("x").critical_ratio == 0.8
    assert Product("x").waste_cost(3, 4) is None
    assert Product("x", price=2.0, cost=0.5).waste_cost(3, 4) == pytest.approx(3 * 0.5 + 4 * 1.5)
