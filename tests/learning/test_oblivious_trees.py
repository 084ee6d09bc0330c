"""Random trees: the same for all who know the seed, genuine trees of XGBoost, of no rows."""

from __future__ import annotations

import numpy as np
import pytest

from glean.learning.bin_layout import BinLayout
from glean.learning.booster import predict
from glean.learning.forest import Forest
from glean.learning.oblivious_trees import (
    DEPTH,
    TREES_PER_ROUND,
    random_trees,
    with_leaves,
)
from glean.learning.structure import check_public_edges
from glean.learning.tree import NO_NODE
from tests.matrices import DEFINITION, random_matrix

LAYOUT = BinLayout(DEFINITION, 32)
EMPTY = Forest.empty(DEFINITION, objective="reg:squarederror")


def test_seed_and_round_say_which_trees() -> None:
    """Drawn anew they are the same; another seed, or round, has others."""
    trees = random_trees(LAYOUT, seed=1, number=3)
    random_trees.cache_clear()
    again, other = random_trees(LAYOUT, seed=1, number=3), random_trees(LAYOUT, seed=2, number=3)
    assert EMPTY.plus(trees).to_bytes() == EMPTY.plus(again).to_bytes()
    assert EMPTY.plus(trees).to_bytes() != EMPTY.plus(other).to_bytes()
    assert EMPTY.plus(trees).to_bytes() != (
        EMPTY.plus(random_trees(LAYOUT, seed=1, number=4)).to_bytes()
    )


def test_all_nodes_of_a_level_ask_the_same() -> None:
    """And each level something else; all at public edges, all leaves without a value."""
    trees = random_trees(LAYOUT, seed=5, number=1)
    assert len(trees) == TREES_PER_ROUND
    check_public_edges(EMPTY.plus(trees), LAYOUT)
    for tree in trees:
        questions = []
        for level in range(DEPTH):
            nodes = slice(2**level - 1, 2 ** (level + 1) - 1)
            asked = {*zip(tree.split_feature[nodes], tree.value[nodes], strict=True)}
            assert len(asked) == 1
            questions.append(asked.pop()[0])
        assert len(set(questions)) == DEPTH
        assert not tree.value[tree.left == NO_NODE].any()


def test_xgboost_forecasts_what_a_plain_loop_finds() -> None:
    """Row by row, question by question; a missing value goes right."""
    rows = random_matrix(60, seed=3)
    trees = random_trees(LAYOUT, seed=5, number=2)
    values = np.random.default_rng(0).normal(size=(TREES_PER_ROUND, 2**DEPTH)).astype(np.float32)
    found = predict(EMPTY.plus(with_leaves(trees, values)), rows.x)
    for x, forecast in zip(rows.x, found, strict=True):
        wanted = 1.0
        for tree, mine in zip(trees, values, strict=True):
            leaf = 0
            for level in range(DEPTH):
                node = 2**level - 1
                leaf = 2 * leaf + (not x[tree.split_feature[node]] < tree.value[node])
            wanted += float(mine[leaf])
        assert forecast == pytest.approx(wanted, abs=1e-5)
