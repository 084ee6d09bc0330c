"""Trees grown from summed answers: the same whoever holds which row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from glean.errors import FederationError, ModelError
from glean.learning.forest import Forest
from glean.learning.loss import OBJECTIVES
from glean.learning.pooled_histogram import boosting_step_seed, train_pooled_histogram
from glean.learning.tree import NO_NODE, Nodes, Tree
from glean.settings import BoostingSettings
from tests.histogram_federation import HistogramFederation, dealt, non_iid_matrix
from tests.matrices import random_matrix, same_trees

SAMPLED = BoostingSettings(
    trees_per_round=2, num_parallel_tree=2, max_depth=5, min_child_weight=2.3, reg_alpha=0.1
)


def forest_of(federation: HistogramFederation, *, steps: int, seed: int = 9) -> Forest:
    """A few rounds of a federation."""
    trees: list[Tree] = []
    for step in range(steps):
        new = federation.grow(federation.grower(seed=boosting_step_seed(seed, step)))
        federation.add(new)
        trees += new
    empty = Forest.empty(federation.layout.definition, objective=federation.boosting.objective)
    return empty.plus(trees)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("bakeries", [3, 7])
def test_the_federation_equals_one_bakery_holding_all_rows(objective: str, bakeries: int) -> None:
    """Rows dealt out in any way and order: the same bytes, with four sampled trees a round."""
    boosting = replace(SAMPLED, objective=objective, quantile_alpha=0.7)
    features = non_iid_matrix(700, seed=bakeries)
    parts = dealt(features, bakeries, seed=1)
    assert len({len(part) for part in parts}) > 1
    together = forest_of(HistogramFederation(parts, boosting), steps=3)
    assert together.tree_count == 12
    assert same_trees(together, forest_of(HistogramFederation([features], boosting), steps=3))


def test_the_trainer_is_a_federation_of_one() -> None:
    """To the byte, where its mean weight is the federation's."""
    features = random_matrix(500, seed=4)
    whole = train_pooled_histogram(features, boosting=SAMPLED, learning_rate=0.3, steps=3, seed=9)
    # Levels of 20 and 80: their sum is exact in any order.
    assert same_trees(
        whole, forest_of(HistogramFederation(dealt(features, 5, seed=0), SAMPLED), steps=3)
    )
    assert whole.definition == features.definition


def test_the_levels_of_a_tree_take_no_more_exchanges_than_its_depth() -> None:
    """And no fewer: the deepest level's leaves come from the sums of the one before."""
    for depth in (1, 2, 5):
        federation = HistogramFederation(
            [non_iid_matrix(800, seed=1)], replace(SAMPLED, max_depth=depth)
        )
        grower, exchanges = federation.grower(seed=1), 0
        while (request := grower.request()) is not None:
            grower.take(federation.replies(request)[0])
            exchanges += 1
        assert exchanges == depth
        nodes = Nodes.of(grower.trees()).checked(federation.layout.columns)
        assert len(nodes.starts) == 5
        assert len(nodes.left) <= 4 * (2 ** (depth + 1) - 1)


def test_subtraction_gives_what_asking_for_both_children_gives() -> None:
    """Only the smaller child is asked for; the other is the parent less it, to the last bit."""
    boosting = replace(SAMPLED, trees_per_round=1, num_parallel_tree=1)
    federation = HistogramFederation([non_iid_matrix(600, seed=5)], boosting)
    grower = federation.grower(seed=3)
    subtracted = 0
    while (request := grower.request()) is not None:
        (tree,) = request.trees
        sibling = ((tree.wanted - 1) ^ 1) + 1 if len(tree.splits) else tree.wanted[:0]
        both = replace(request, trees=(replace(tree, wanted=np.union1d(tree.wanted, sibling)),))
        (direct,) = federation.replies(both)
        direct = direct.reshape(both.trees[0].shape(federation.layout))
        (part,) = federation.replies(request)
        found = grower._trees[0].level(part.reshape(tree.shape(federation.layout)))
        assert (found[0] == both.trees[0].wanted).all()
        assert (found[1] == direct).all()
        weight = grower._trees[0].sums[:, 1]
        assert (weight[tree.wanted][: len(sibling)] <= weight[sibling]).all(), "the smaller child"
        subtracted += len(sibling)
        grower.take(part)
    assert subtracted > 5


def test_sums_that_no_rows_can_have_are_refused() -> None:
    """A wrong length or type, a negative hessian, columns that disagree."""
    federation = HistogramFederation([non_iid_matrix(300, seed=2)], SAMPLED)
    grower = federation.grower(seed=0)
    request = grower.request()
    assert request is not None
    (sums,) = federation.replies(request)
    misshapen: list[NDArray[Any]] = [sums[:-1], sums.astype(np.float64), sums.reshape(2, -1)]
    for wrong in misshapen:
        with pytest.raises(ModelError, match="wanted int64 of shape"):
            grower.take(wrong)
    one_more = sums.copy()
    one_more[0] += 1
    for senseless in (one_more, -sums):
        with pytest.raises(ModelError, match=r"don't fit together.*grow the tree anew"):
            federation.grower(seed=0).take(senseless)


def test_a_bakery_that_drops_out_within_a_tree_is_noticed() -> None:
    """Parent minus child no longer fits; from the root on without it the tree grows."""
    parts = dealt(non_iid_matrix(900, seed=6), 3, seed=2)
    federation = HistogramFederation(parts, SAMPLED)
    grower = federation.grower(seed=4)
    for left in (3, 2):
        request = grower.request()
        assert request is not None
        total = np.sum(federation.replies(request)[:left], axis=0)
        if left == 3:
            grower.take(total)
        else:
            with pytest.raises(ModelError, match="grow the tree anew"):
                grower.take(total)
    federation.bakeries, federation.margins = federation.bakeries[:2], federation.margins[:2]
    assert len(federation.grow(federation.grower(seed=4))) == 4


def test_a_node_that_can_t_split_is_a_leaf_with_the_newton_value() -> None:
    """By hand: -G / (H + lambda) times the rate, over the number of trees."""
    features = random_matrix(200)
    boosting = BoostingSettings(gamma=1e9, subsample=1, reg_lambda=3.0, trees_per_round=4)
    federation = HistogramFederation([features], boosting)
    trees = federation.grow(federation.grower(seed=1, learning_rate=0.5))
    weight = features.weight / features.weight.mean()
    newton = -np.sum(weight * (1.0 - features.y)) / (weight.sum() + 3.0)
    for tree in trees:
        assert tree.left.tolist() == [NO_NODE]
        assert tree.value[0] == pytest.approx(newton * 0.5 / 4, rel=1e-5)


def test_a_federation_without_rows_to_train_on_says_so() -> None:
    """Days still to come only."""
    features = random_matrix(20)
    features = replace(features, y=np.full(20, np.nan, dtype=np.float32))
    with pytest.raises(FederationError, match="declares 0 rows"):
        train_pooled_histogram(
            features, boosting=BoostingSettings(), learning_rate=0.1, steps=1, seed=0
        )
