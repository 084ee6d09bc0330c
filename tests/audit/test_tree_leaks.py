"""What is read out of trees: of stock ones numbers of the table, of public edges none."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.stock_bakery import DEFINITION, stock_bakery
from benchmarks.tree_leaks import EXAMPLE, told_by_glean, told_by_stock
from glean.audit.bakery_truth import BakeryTruth, open_bakery
from glean.learning.oblivious_trees import random_trees
from glean.settings import RunSettings

SETTINGS = RunSettings()


@pytest.fixture(scope="module")
def truth() -> BakeryTruth:
    """The first synthetic bakery."""
    spec = DEFINITION.to_json()
    return open_bakery(0, SETTINGS, spec, newcomer=False, name="the first")


def test_a_stock_tree_splits_at_numbers_of_the_table(truth: BakeryTruth) -> None:
    """All of them; and where leaves are small, some are a single product-day's."""
    bakery = stock_bakery(0, SETTINGS)
    bakery.parameters |= EXAMPLE
    told = told_by_stock(bakery, truth, float(truth.level.mean()))
    assert told.own == told.splits > 50
    assert told.recovered > 0
    assert told.rows == len(truth)


def test_a_single_row_of_a_stock_leaf_is_read_exactly(truth: BakeryTruth) -> None:
    """Cover and value give level and units: with no penalty and a leaf for each row, of all."""
    few = BakeryTruth(
        "few",
        truth.training.rows(np.arange(len(truth)) % 400 == 0),
        truth.validation,
        truth.layout,
    )
    bakery = stock_bakery(0, SETTINGS)
    rows = few.training
    bakery.train = type(bakery.train)(
        rows.x,
        rows.y,
        weight=rows.weight / rows.weight.mean(),
        feature_names=list(DEFINITION.names),
        nthread=1,
    )
    bakery.parameters |= {**EXAMPLE, "min_child_weight": 0, "reg_lambda": 0.0, "max_depth": 12}
    told = told_by_stock(bakery, few, float(rows.level.mean()))
    assert told.recovered > 0.8 * len(few)


def test_public_edges_are_nobody_s_numbers(truth: BakeryTruth) -> None:
    """But for the few columns whose values are such edges by themselves."""
    trees = random_trees(truth.layout, seed=3, number=1)
    told = told_by_glean(trees, truth, float(truth.level.mean()), 1.0)
    assert told.splits == sum(int((tree.left >= 0).sum()) for tree in trees)
    assert told.own < 0.2 * told.splits
