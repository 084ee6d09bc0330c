"""Refitted leaves: structures without values come in, Newton steps of all bakeries' sums go out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xgboost

from glean.aggregation.refit import checked_structure, encoded_length, joined, refitted
from glean.errors import ModelError
from glean.learning.bin_layout import BinLayout
from glean.learning.booster import predict
from glean.learning.boosting import TreeLearner
from glean.learning.fixed_point import FixedPoint
from glean.learning.forest import Forest
from glean.learning.gradient_histograms import GradientHistograms
from glean.learning.structure import leaf_count, structure_of
from glean.learning.tree import NO_NODE
from glean.settings import BoostingSettings
from tests.matrices import DEFINITION, random_matrix

BOOSTING = BoostingSettings(max_depth=3, min_child_weight=1.0, subsample=1.0, colsample=1.0)
LAYOUT = BinLayout(DEFINITION, BOOSTING.bins)


def proposal(seed: int, *, rows: int = 400) -> Forest:
    """Structures that a bakery grew on rows of its own."""
    learner = TreeLearner(random_matrix(rows, seed=seed), boosting=BOOSTING)
    grown = learner.grow(learner.start(), learning_rate=0.5, steps=2, seed=seed)
    return structure_of(grown, LAYOUT)


def test_a_structure_has_public_edges_and_nothing_in_its_leaves() -> None:
    """It passes the server's check, also where the proposer's values end short of the edges."""
    features = random_matrix(300, seed=5)
    narrow = replace(features, x=np.clip(features.x, 0.9, 1.1))
    learner = TreeLearner(narrow, boosting=BOOSTING)
    grown = learner.grow(learner.start(), learning_rate=0.5, steps=3, seed=1)
    found = structure_of(grown, LAYOUT)
    assert checked_structure(found, LAYOUT) is found
    assert all(not tree.value[tree.left == NO_NODE].any() for tree in found.trees)
    assert encoded_length(found) == 2 * leaf_count(found) > 0


def test_a_proposal_that_says_more_is_refused() -> None:
    """A value in a leaf, or a threshold between the edges, would be something of its rows."""
    forest = proposal(1)
    tree = forest.trees[0]
    leaf = int(np.argmax(tree.left == NO_NODE))
    told = tree.value.copy()
    told[leaf] = 0.1
    with pytest.raises(ModelError, match="found a leaf with a value; wanted structures"):
        checked_structure(replace(forest, trees=(replace(tree, value=told),)), LAYOUT)
    between = tree.value.copy()
    between[0] += np.float32(1e-3)
    with pytest.raises(ModelError, match="wanted one of the public edges"):
        checked_structure(replace(forest, trees=(replace(tree, value=between),)), LAYOUT)


def test_every_leaf_gets_the_newton_step_of_all_bakeries() -> None:
    """Against a plain loop over the rows of three bakeries, by XGBoost's own leaf indices."""
    bakeries = [random_matrix(200 + 50 * k, seed=k) for k in range(3)]
    structures = joined([proposal(k) for k in (0, 1)])
    rows = sum(len(b) for b in bakeries)
    unit_weight = sum(float(b.weight.sum()) for b in bakeries) / rows
    scale = FixedPoint.for_rows(rows)
    total = np.zeros((leaf_count(structures), 2), dtype=np.int64)
    for features in bakeries:
        sums = GradientHistograms(features, LAYOUT, BOOSTING)
        total += sums.leaf_sums(
            sums.start(), structures.trees, unit_weight=unit_weight, scale=scale
        )
    news = refitted(structures, total.ravel(), rows=rows, learning_rate=0.6, boosting=BOOSTING)
    booster = xgboost.Booster()
    booster.load_model(bytearray(structures.to_bytes()))
    for number, tree in enumerate(news.trees):
        gradient: dict[int, float] = {}
        hessian: dict[int, float] = {}
        for features in bakeries:
            matrix = xgboost.DMatrix(features.x, feature_names=list(DEFINITION.names))
            leaves = booster.predict(matrix, pred_leaf=True).reshape(len(features), -1)
            for leaf, y, level in zip(leaves[:, number], features.y, features.weight, strict=True):
                weight = float(level) / unit_weight
                gradient[int(leaf)] = gradient.get(int(leaf), 0.0) + weight * (1.0 - float(y))
                hessian[int(leaf)] = hessian.get(int(leaf), 0.0) + weight
        for leaf, g in gradient.items():
            wanted = -g / (hessian[leaf] + 1.0) * 0.6 / structures.tree_count
            assert tree.value[leaf] == pytest.approx(wanted, rel=1e-3, abs=1e-6)


def test_refitted_trees_are_averaged() -> None:
    """Twice the same structure forecasts what it forecasts once."""
    features = random_matrix(500, seed=3)
    once, twice = proposal(7), joined([proposal(7), proposal(7)])
    sums = GradientHistograms(features, LAYOUT, BOOSTING)
    forecasts = []
    for structures in (once, twice):
        total = sums.leaf_sums(
            sums.start(),
            structures.trees,
            unit_weight=float(features.weight.mean()),
            scale=FixedPoint.for_rows(len(features)),
        )
        news = refitted(
            structures, total.ravel(), rows=len(features), learning_rate=0.5, boosting=BOOSTING
        )
        forecasts.append(predict(news, features.x))
    np.testing.assert_allclose(forecasts[0], forecasts[1], rtol=1e-6)


def test_a_leaf_that_nobody_reaches_is_worth_nothing() -> None:
    """No row in it: no step, and no division by zero."""
    structures = proposal(1)
    none = np.zeros(encoded_length(structures), dtype=np.int64)
    boosting = replace(BOOSTING, reg_lambda=0.0)
    news = refitted(structures, none, rows=10, learning_rate=0.5, boosting=boosting)
    assert all(not tree.value[tree.left == NO_NODE].any() for tree in news.trees)
