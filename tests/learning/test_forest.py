"""Forests: genuine XGBoost models keep their forecasts; what is no tree is refused."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from glean.errors import ModelError
from glean.learning import ubj
from glean.learning.forest import Forest
from glean.learning.tree import Nodes, Tree
from tests.learning.xgboost_models import NAMES, loaded, trained_model
from tests.matrices import DEFINITION, random_forest, random_matrix


def walked(forest: Forest, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Forecast row by row, node by node: the slow and obvious way."""
    total = np.full(len(x), 1.0, dtype=np.float32)
    for tree in forest.trees:
        for row, values in enumerate(x):
            node = 0
            while tree.left[node] >= 0:
                found = values[tree.split_feature[node]]
                left = (
                    bool(tree.default_left[node]) if math.isnan(found) else found < tree.value[node]
                )
                node = int(tree.left[node] if left else tree.right[node])
            total[row] += tree.value[node]
    return total


@pytest.mark.parametrize(
    "parameters",
    [
        {"objective": "reg:squarederror"},
        {"objective": "reg:absoluteerror"},
        {"objective": "count:poisson"},
        {"objective": "reg:tweedie", "num_parallel_tree": 3, "subsample": 0.5},
        {"gamma": 0.5},
        {"steps": 140, "max_depth": 1},
    ],
)
def test_a_model_of_xgboost_keeps_its_forecasts_but_not_its_row_counts(
    parameters: dict[str, object],
) -> None:
    """Read and written again, XGBoost's own model forecasts the same; hessian sums are gone."""
    data = trained_model(**parameters)
    forest = Forest.from_bytes(data, feature_names=NAMES)
    rows = xgboost.DMatrix(random_matrix(200, seed=1).x, feature_names=NAMES, nthread=1)
    assert forest.definition == DEFINITION
    rewritten = loaded(forest.to_bytes())
    assert np.array_equal(rewritten.predict(rows), loaded(data).predict(rows))
    trees = ubj.read(forest.to_bytes())["learner"]["gradient_booster"]["model"]["trees"]
    for name in ("sum_hessian", "base_weights", "loss_changes"):
        assert not any(tree[name].any() for tree in trees)


@given(st.integers(0, 300), st.integers(0, 4), st.integers(0, 99))
@settings(max_examples=25)
def test_xgboost_saves_a_forest_back_byte_for_byte(trees: int, depth: int, seed: int) -> None:
    """XGBoost reads what Glean writes as it stands, attributes included; so does Glean."""
    data = random_forest(trees, depth=depth, seed=seed).to_bytes()
    assert bytes(loaded(data).save_raw("ubj")) == data
    assert Forest.from_bytes(data).to_bytes() == data


def test_forecasts_equal_a_walk_through_the_nodes() -> None:
    """XGBoost's forecast of a hand-made forest is bit for bit that of a slow plain walk."""
    forest, x = random_forest(40), random_matrix(60, seed=3).x
    rows = xgboost.DMatrix(x, feature_names=NAMES, nthread=1)
    assert np.array_equal(loaded(forest.to_bytes()).predict(rows), walked(forest, x))


def test_scaling_and_cutting_act_on_what_trees_add() -> None:
    """Half the leaves add half as much; the first trees and the rest add up to the whole."""
    forest, x = random_forest(10), random_matrix(50).x
    added = walked(forest, x) - 1.0
    assert walked(forest.scaled(0.5), x) - 1.0 == pytest.approx(added / 2, abs=1e-5)
    again = forest.first(4).plus(forest.trees[4:])
    assert again.to_bytes() == forest.to_bytes()
    assert forest.first(4).tree_count == 4


def test_two_thousand_trees_are_written_and_read_quickly() -> None:
    """A model of 2,000 trees of 127 nodes takes a fraction of a second either way."""
    forest = random_forest(2_000, depth=6)
    start = time.perf_counter()
    data = forest.to_bytes()
    written = time.perf_counter()
    Forest.from_bytes(data)
    assert written - start < 1.0
    assert time.perf_counter() - written < 1.0


def broken(name: str, node: int, value: float) -> Tree:
    """A tree of seven nodes with one entry changed."""
    tree = random_forest(1, depth=2).trees[0]
    array = getattr(tree, name).copy()
    array[node] = value
    return replace(tree, **{name: array})


@pytest.mark.parametrize(
    ("name", "node", "value", "words"),
    [
        ("left", 0, 7, "out of range"),
        ("left", 0, 0, "out of range"),
        ("right", 1, -5, "out of range"),
        ("left", 1, -1, "one child"),
        ("left", 0, 2, "twice or never"),
        ("left", 1, 1, "twice or never"),
        ("split_feature", 1, len(NAMES), "beyond"),
        ("split_feature", 1, -1, "beyond"),
        ("value", 0, float("nan"), "finite"),
        ("value", 6, float("inf"), "finite"),
        ("value", 6, -2e6, "finite"),
        ("default_left", 0, 2, "direction"),
    ],
)
def test_arrays_that_are_no_tree_are_refused(
    name: str, node: int, value: float, words: str
) -> None:
    """Every way to break a tree's arrays is named, with the tree's number."""
    whole = random_forest(1, depth=2).trees
    with pytest.raises(ModelError, match=rf"tree 1 .*{words}"):
        Nodes.of([*whole, broken(name, node, value)]).checked(len(NAMES))


def test_a_threshold_may_be_as_large_as_a_covariate() -> None:
    """Columns have units of their own; only leaves are bounded."""
    tree = broken("value", 0, 1e12)
    checked = Nodes.of([tree]).checked(len(NAMES)).trees()[0]
    assert checked.value[0] == np.float32(1e12)


def chain(links: list[int]) -> Tree:
    """A tree in which node 2k has the children 2k+1 (a leaf) and 2k+2, but for `links`."""
    size = 2 * len(links) + 1
    left, right = np.full(size, -1, np.int32), np.full(size, -1, np.int32)
    left[: size - 1 : 2] = np.arange(1, size, 2)
    right[: size - 1 : 2] = links
    zeros = np.zeros(size, np.int32)
    return Tree(left, right, zeros, zeros.astype(np.float32), zeros.astype(np.uint8))


def test_trees_too_deep_or_in_circles_are_refused() -> None:
    """Twelve levels pass, thirteen don't, and a circle beside the root's tree is found."""
    Nodes.of([chain([2 * k + 2 for k in range(12)])]).checked(1)
    with pytest.raises(ModelError, match="deeper than 12"):
        Nodes.of([chain([2 * k + 2 for k in range(13)])]).checked(1)
    with pytest.raises(ModelError, match="circles"):
        Nodes.of([chain([6, 2, 4])]).checked(1)
