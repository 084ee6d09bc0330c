"""Sums by leaf that no day moves far: against a plain loop, and against days made to move them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from glean.features.matrix import FeatureMatrix
from glean.learning.bin_layout import BinLayout
from glean.learning.day_sums import (
    DAY_GRADIENT,
    DAY_WEIGHT,
    GRADIENT_SENSITIVITY,
    LARGEST_LEVEL,
    LARGEST_RESIDUAL,
    UNIT,
    DaySums,
    hessian_sensitivity,
)
from glean.learning.oblivious_trees import DEPTH, random_trees
from glean.learning.tree import Tree
from tests.matrices import DEFINITION, random_matrix

LAYOUT = BinLayout(DEFINITION, 32)
TREES = random_trees(LAYOUT, seed=4, number=1)


def bakery(rows: int, *, products: int, seed: int, largest: float = 300.0) -> FeatureMatrix:
    """Days of so many products, whose levels go up to `largest`; some rows are still to come."""
    rng = np.random.default_rng(seed)
    made = random_matrix(rows, seed=seed)
    level = rng.uniform(1.0, largest, rows)
    dates = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(rows) // products, unit="D")
    keys = pd.DataFrame({"date": dates, "bakery": "north", "product": "all"})
    y = np.where(rng.random(rows) < 0.05, np.float32(np.nan), made.y)
    return replace(made, y=y, level=level, weight=level, keys=keys)


def margins(features: FeatureMatrix, *, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(1.0, 0.3, len(features)).astype(np.float32)


def leaf_of(x: NDArray[np.float32], tree: Tree) -> int:
    leaf = 0
    for level in range(DEPTH):
        node = 2**level - 1
        leaf = 2 * leaf + (not x[tree.split_feature[node]] < tree.value[node])
    return leaf


def plain_sums(
    features: FeatureMatrix, margin: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gradients and hessians, by loops over days, rows and trees, without fixed point."""
    size = len(TREES) * 2**DEPTH
    gradients, hessians = np.zeros(size), np.zeros(size)
    for _, rows in features.keys.groupby("date"):
        sold = [row for row in rows.index if np.isfinite(features.y[row])]
        weights = [min(features.weight[row], LARGEST_LEVEL) / LARGEST_LEVEL for row in sold]
        limit = min(1.0, DAY_WEIGHT / sum(weights)) if sold else 1.0
        vector = np.zeros(size)
        for row, weight in zip(sold, weights, strict=True):
            off = float(margin[row]) - float(features.y[row])
            off = max(-LARGEST_RESIDUAL, min(LARGEST_RESIDUAL, off))
            for number, tree in enumerate(TREES):
                place = number * 2**DEPTH + leaf_of(features.x[row], tree)
                vector[place] += off * weight * limit
                hessians[place] += weight * limit
        length = float(np.sqrt((vector**2).sum()))
        gradients += vector * min(1.0, DAY_GRADIENT / max(length, 1e-300))
    return gradients, hessians


@pytest.mark.parametrize("products", [1, 4, 15])
def test_sums_are_those_of_a_plain_loop(products: int) -> None:
    """To a unit of the fixed point for each row; few, usual and too many products a day."""
    features = bakery(150, products=products, seed=products)
    margin = margins(features)
    gradients, hessians = plain_sums(features, margin)
    sums = DaySums(features, LAYOUT)
    off = 150 / UNIT
    assert sums.gradients(margin, TREES) / UNIT == pytest.approx(gradients, abs=off)
    assert sums.hessians(TREES) / UNIT == pytest.approx(hessians, abs=off)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    products=st.sampled_from([1, 3, 10, 40]),
    wild=st.sampled_from([1.0, 1e3, 1e30]),
    discount=st.sampled_from([1.0, 1.0 - 1e-9, 0.5]),
)
def test_no_day_moves_a_sum_by_more_than_the_sensitivity(
    seed: int, products: int, wild: float, discount: float
) -> None:
    """One day taken out, whatever was sold on it: the L2 distance in whole numbers, exactly.

    Also where the sums are of an old model, and count less: by no more than that.
    """
    features = bakery(80, products=products, seed=seed, largest=1000.0)
    day = features.keys["date"].iloc[0]
    mine = (features.keys["date"] == day).to_numpy()
    features = replace(features, y=np.where(mine, features.y * np.float32(wild), features.y))
    margin = margins(features, seed=seed)
    whole, rest = DaySums(features, LAYOUT), DaySums(features.rows(~mine), LAYOUT)
    moved = whole.gradients(margin, TREES, discount=discount)
    moved -= rest.gradients(margin[~mine], TREES, discount=discount)
    assert (moved.astype(object) ** 2).sum() <= (discount * GRADIENT_SENSITIVITY * UNIT) ** 2
    moved = whole.hessians(TREES) - rest.hessians(TREES)
    assert (moved.astype(object) ** 2).sum() <= (hessian_sensitivity(len(TREES)) * UNIT) ** 2


def test_the_bounds_are_reached() -> None:
    """Else noise would be wasted: a day of many products in one leaf uses all of both."""
    features = bakery(40, products=40, seed=1, largest=1000.0)
    same = np.repeat(features.x[:1], len(features), axis=0)
    features = replace(
        features, x=same, y=np.full(40, 9.0, np.float32), weight=np.full(40, LARGEST_LEVEL)
    )
    sums = DaySums(features, LAYOUT)
    moved = np.linalg.norm(sums.gradients(np.ones(40, np.float32), TREES)) / UNIT
    assert moved == pytest.approx(GRADIENT_SENSITIVITY, rel=1e-4)
    moved = np.linalg.norm(sums.hessians(TREES)) / UNIT
    assert moved == pytest.approx(hessian_sensitivity(len(TREES)), rel=1e-4)


def test_only_days_that_take_part_are_summed() -> None:
    """As if the other days had no rows; without a word all take part."""
    features = bakery(60, products=4, seed=3)
    margin = margins(features)
    dates = features.keys["date"].dt.strftime("%Y-%m-%d")
    of = {*dates.unique()[::3], "1999-12-31"}
    kept = dates.isin(of).to_numpy()
    some = DaySums(features.rows(kept), LAYOUT)
    all_days = DaySums(features, LAYOUT)
    np.testing.assert_array_equal(all_days.hessians(TREES, of=of), some.hessians(TREES))
    np.testing.assert_array_equal(
        all_days.gradients(margin, TREES, of=of), some.gradients(margin[kept], TREES)
    )
    for nobody in (all_days.hessians(TREES, of=()), all_days.gradients(margin, TREES, of=())):
        assert not nobody.any()
    np.testing.assert_array_equal(all_days.hessians(TREES, of={*dates}), all_days.hessians(TREES))
