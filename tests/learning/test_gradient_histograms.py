"""A bakery's sums: the same however it came to the request, and what a plain loop finds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from glean.errors import ModelError
from glean.features.matrix import FeatureMatrix
from glean.learning import kernels as loops
from glean.learning.bin_layout import BinLayout
from glean.learning.binned_trees import BinnedTrees, at_public_edges
from glean.learning.boosting import TreeLearner
from glean.learning.fixed_point import FixedPoint
from glean.learning.gradient_histograms import GradientHistograms
from glean.learning.histogram_request import HistogramRequest
from glean.learning.loss import Loss
from glean.learning.tree import NO_NODE, Tree
from glean.settings import BoostingSettings
from tests.histogram_federation import HistogramFederation, leaf_of, non_iid_matrix, singles, taken
from tests.matrices import random_forest, random_matrix, random_tree

BOOSTING = BoostingSettings(trees_per_round=2, max_depth=4, min_child_weight=2)
SCALE = FixedPoint.for_rows(1000)


def unsold_in_part(rows: int, *, seed: int) -> FeatureMatrix:
    """Some rows are days still to come."""
    features = non_iid_matrix(rows, seed=seed)
    unsold = np.random.default_rng(seed).random(rows) < 0.1
    return replace(features, y=np.where(unsold, np.float32(np.nan), features.y))


def requests_of(
    features: FeatureMatrix, *, seed: int
) -> tuple[HistogramFederation, list[HistogramRequest]]:
    """A federation of one bakery and the requests of one group of trees."""
    federation = HistogramFederation([features], BOOSTING)
    grower, requests = federation.grower(seed=seed), []
    while (request := grower.request()) is not None:
        requests.append(request)
        grower.take(answer(federation.bakeries[0], federation, request))
    federation.add(grower.trees())
    return federation, requests


def answer(
    bakery: GradientHistograms, federation: HistogramFederation, request: HistogramRequest
) -> NDArray[np.int64]:
    return bakery.histograms(
        bakery.start(), request, unit_weight=federation.unit_weight, scale=federation.scale
    )


def test_answers_don_t_depend_on_what_was_asked_before() -> None:
    """Orders of two groups, jumbled and repeated, against a bakery that is asked just once."""
    features = unsold_in_part(400, seed=1)
    federation, first = requests_of(features, seed=1)
    _, second = requests_of(features, seed=2)
    requests = first + second
    old = GradientHistograms(features, federation.layout, BOOSTING)
    asked = np.random.default_rng(0).integers(0, len(requests), 40)
    for number in asked:
        new = GradientHistograms(features, federation.layout, BOOSTING)
        expected = answer(new, federation, requests[number])
        assert (answer(old, federation, requests[number]) == expected).all()


def test_a_new_margin_is_noticed_even_in_the_old_one_s_place() -> None:
    """Gradients that are kept are those of the margin as it is now."""
    features = unsold_in_part(300, seed=2)
    federation, (root, *_) = requests_of(features, seed=1)
    bakery, margin = (
        GradientHistograms(features, federation.layout, BOOSTING),
        federation.margins[0],
    )
    how: dict[str, Any] = {"unit_weight": federation.unit_weight, "scale": federation.scale}
    before = bakery.histograms(margin, root, **how)
    margin += np.float32(0.5)
    after = bakery.histograms(margin, root, **how)
    fresh = GradientHistograms(features, federation.layout, BOOSTING).histograms(
        margin, root, **how
    )
    assert (after == fresh).all()
    assert not (after == before).all()
    coarser = bakery.histograms(
        margin, root, unit_weight=federation.unit_weight, scale=FixedPoint(301, 9)
    )
    assert np.abs(coarser).max() < np.abs(after).max()


def rounded(
    features: FeatureMatrix, boosting: BoostingSettings, unit_weight: float
) -> list[list[int]]:
    """Gradient and hessian of each row at the start, in plain Python."""
    sold = np.isfinite(features.y)
    y = np.where(sold, features.y, np.float32(0))
    margin = GradientHistograms(features, BinLayout(features.definition, 32), boosting).start()
    both = np.stack(Loss.of(boosting).gradients(y, margin), axis=1)
    weight = np.where(sold, features.weight, 0) / unit_weight
    return [
        [round(float(value) * w * 2**SCALE.bits) for value in pair]
        for pair, w in zip(both, weight.tolist(), strict=True)
    ]


@pytest.mark.parametrize("objective", ["reg:squarederror", "count:poisson"])
def test_leaf_sums_are_those_of_a_plain_loop(objective: str) -> None:
    """Every row is looked at by its values, tree by tree; days still to come add nothing."""
    features = unsold_in_part(250, seed=3)
    boosting = replace(BOOSTING, objective=objective)
    federation, _ = requests_of(unsold_in_part(600, seed=4), seed=1)
    trees = [tree for k in range(3) for tree in federation.grow(federation.grower(seed=k))]
    bakery = GradientHistograms(features, federation.layout, boosting)
    unit = bakery.total_weight / bakery.sold_rows
    found = bakery.leaf_sums(bakery.start(), trees, unit_weight=unit, scale=SCALE)
    pairs = rounded(features, boosting, unit)
    expected = []
    for tree in trees:
        sums = {int(leaf): [0, 0] for leaf in np.flatnonzero(tree.left == NO_NODE)}
        for row, leaf in enumerate(leaf_of(tree, features.x)):
            sums[int(leaf)] = [a + b for a, b in zip(sums[int(leaf)], pairs[row], strict=True)]
        expected += list(sums.values())
    assert found.tolist() == expected


def test_histograms_are_those_of_a_plain_loop() -> None:
    """All rows, all columns, at the root: each value counted where its bin lies."""
    features = unsold_in_part(200, seed=5)
    boosting = replace(BOOSTING, subsample=1.0, colsample=1.0, trees_per_round=1)
    federation = HistogramFederation([features], boosting)
    request = federation.grower(seed=1).request()
    assert request is not None
    unit = federation.unit_weight
    bakery, layout = federation.bakeries[0], federation.layout
    found = bakery.histograms(bakery.start(), request, unit_weight=unit, scale=SCALE)
    expected = np.zeros((layout.slots, 2), dtype=np.int64)
    for values, pair in zip(features.x, rounded(features, boosting, unit), strict=True):
        for column, value in enumerate(values.tolist()):
            edges = layout.edges[column].tolist()
            place = len(edges) + 1 if value != value else sum(value >= edge for edge in edges)
            expected[layout.starts[column] + place] += pair
    assert (found.reshape(-1, 2) == expected).all()


def test_margins_are_xgboost_s_bit_for_bit() -> None:
    """Trees on public edges, followed by bins, against XGBoost on the values."""
    features = unsold_in_part(500, seed=6)
    federation, _ = requests_of(features, seed=7)
    trees = [tree for k in range(4) for tree in federation.grow(federation.grower(seed=k))]
    learner = TreeLearner(features, boosting=BOOSTING)
    bakery = federation.bakeries[0]
    forest = replace(random_forest(0), trees=tuple(trees))
    assert np.array_equal(bakery.add(bakery.start(), trees), learner.add(learner.start(), forest))
    assert np.array_equal(bakery.add(federation.margins[0], ()), federation.margins[0])


def test_compiled_loops_do_what_they_say() -> None:
    """Plain Python on the same arrays gives the same."""
    rng = np.random.default_rng(0)
    bins = rng.integers(0, 5, (40, 3)).astype(np.uint8)
    results = []
    for part_rows in (loops._part_rows, loops.kernels().part_rows):
        rows = np.arange(40, dtype=np.int32)
        begin, end = np.array([0, 0, 0, 0, 0]), np.array([40, 0, 0, 0, 0])
        splits = np.array([0, 2]), np.array([1, 0]), np.array([2, 1]), np.array([1, 0])
        part_rows(bins, rows, begin, end, 0, *splits, np.array([4, 4, 4]))
        results.append((rows.tolist(), begin.tolist(), end.tolist()))
    assert results[0] == results[1]
    parted, first, last = results[0]
    assert sorted(parted) == list(range(40))
    left = [row for row in range(40) if bins[row, 1] <= 2 or bins[row, 1] == 4]
    assert parted[first[1] : last[1]] == left


def test_compiled_walks_are_the_plain_ones() -> None:
    """More rows than go at a time, through trees of several depths."""
    features = unsold_in_part(300, seed=11)
    layout = BinLayout(features.definition, 32)
    bins, nodes = layout.binned(features.x), BinnedTrees.of(edged_trees(layout, 5), layout)
    gradients = np.random.default_rng(0).integers(-9, 9, (len(bins), 2))
    results = []
    for find, add, sum_up in (
        (loops._find_leaves, loops._add_leaves, loops._sum_by_leaf),
        (loops.kernels().find_leaves, loops.kernels().add_leaves, loops.kernels().sum_by_leaf),
    ):
        leaves = np.empty((5, len(bins)), dtype=np.uint32)
        margin = np.ones(len(bins), dtype=np.float32)
        sums = np.zeros((len(nodes.splits), 2), dtype=np.int64)
        find(bins, nodes.roots, nodes.depth, nodes.splits, leaves)
        add(leaves, nodes.value, margin)
        sum_up(leaves, gradients, sums)
        results.append((leaves.tolist(), margin.tolist(), sums.tolist()))
    assert results[0] == results[1]


def edged_trees(layout: BinLayout, count: int) -> list[Tree]:
    """Trees of depth 0 to 4 on public edges, those that part off missing values among them.

    In every other one the right child comes before the left.
    """
    rng = np.random.default_rng(count)
    trees = []
    for number in range(count):
        tree = random_tree(rng, depth=number % 5, columns=layout.columns)
        inner = tree.left != NO_NODE
        column = tree.split_feature[inner].astype(np.int64)
        edge = rng.integers(-1, layout.edge_counts[column] + 1)
        value = tree.value.copy()
        value[inner] = layout.thresholds(column, edge)
        first, second = (tree.right, tree.left) if number % 2 else (tree.left, tree.right)
        trees.append(replace(tree, value=value, left=first, right=second))
    return trees


@pytest.mark.parametrize("bins", [2, 32, 256])
def test_rows_go_by_their_bins_where_they_go_by_their_values(bins: int) -> None:
    """Every leaf's sum counts the rows that a plain walk leads there, whatever the tree."""
    features = unsold_in_part(150, seed=12)
    boosting = replace(BOOSTING, bins=bins)
    layout = BinLayout(features.definition, bins)
    trees = edged_trees(layout, 70)
    bakery = GradientHistograms(features, layout, boosting)
    unit = bakery.total_weight / bakery.sold_rows
    found = bakery.leaf_sums(bakery.start(), trees, unit_weight=unit, scale=SCALE)
    pairs = np.array(rounded(features, boosting, unit))
    margin, at = bakery.start(), 0
    for tree in trees:
        reached = leaf_of(tree, features.x)
        margin += tree.value[reached]
        for leaf in np.flatnonzero(tree.left == NO_NODE):
            assert (found.reshape(-1, 2)[at] == pairs[reached == leaf].sum(axis=0)).all()
            at += 1
    assert np.array_equal(bakery.add(bakery.start(), trees), margin)


def test_trees_that_xgboost_grew_move_to_public_edges() -> None:
    """On the rows that they were grown on nothing changes; elsewhere no one's values show."""
    features = unsold_in_part(500, seed=8)
    boosting = replace(BOOSTING, min_child_weight=0.5, subsample=1, colsample=1, max_depth=6)
    learner = TreeLearner(features, boosting=boosting)
    forest = learner.grow(learner.start(), learning_rate=0.3, steps=8, seed=1)
    layout = BinLayout(features.definition, boosting.bins)
    bakery = GradientHistograms(features, layout, boosting)
    with pytest.raises(ModelError, match="public edges"):
        bakery.add(bakery.start(), forest.trees)
    moved = [at_public_edges(tree, layout) for tree in forest.trees]
    # Where XGBoost itself left every row: `grow` met bins only.
    binned = np.stack(
        [edges_of(layout, column)[bins] for column, bins in enumerate(layout.binned(features.x).T)],
        axis=1,
    )
    for tree, other in zip(forest.trees, moved, strict=True):
        assert (leaf_of(tree, binned) == leaf_of(other, features.x)).all()


def edges_of(layout: BinLayout, column: int) -> NDArray[np.float32]:
    """Value that `in_bins` gives for each bin of a column, NaN for missing ones."""
    edges = layout.edges[column]
    return np.concatenate([edges[:1] - 1, edges, singles(np.nan)])


def test_what_a_bakery_can_t_answer_it_refuses(caplog: pytest.LogCaptureFixture) -> None:
    """Trees that are none or split at other places; of rows that outweigh all the log tells."""
    bakery = GradientHistograms(
        random_matrix(50), BinLayout(random_matrix(1).definition, 32), BOOSTING
    )
    how: dict[str, Any] = {"unit_weight": 50.0, "scale": SCALE}
    with pytest.raises(ModelError, match="public edges"):
        bakery.leaf_sums(bakery.start(), random_forest(2).trees, **how)
    loop = Tree(
        left=np.array([0], dtype=np.int32),
        right=np.array([0], dtype=np.int32),
        split_feature=np.array([0], dtype=np.int32),
        value=np.array([1.0], dtype=np.float32),
        default_left=np.array([0], dtype=np.uint8),
    )
    with pytest.raises(ModelError, match="child out of range"):
        bakery.leaf_sums(bakery.start(), [loop], **how)
    assert not caplog.text
    bakery.leaf_sums(bakery.start(), [], unit_weight=50.0, scale=FixedPoint.for_rows(10))
    assert "the federation declared 10" in caplog.text


def test_a_bakery_without_rows_adds_nothing() -> None:
    """Its answers are zeros of the right length."""
    features = random_matrix(300)
    federation, requests = requests_of(features, seed=3)
    nobody = GradientHistograms(taken(features, np.arange(0)), federation.layout, BOOSTING)
    for request in requests:
        found = answer(nobody, federation, request)
        assert found.shape == (request.size(federation.layout),)
        assert not found.any()
    trees = federation.grow(federation.grower(seed=1))
    assert nobody.add(nobody.start(), trees).shape == (0,)
