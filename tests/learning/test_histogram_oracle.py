"""Trees grown from sums are those that XGBoost grows on the same binned rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

from glean.features.bins import in_bins
from glean.features.matrix import FeatureMatrix
from glean.learning.booster import predict
from glean.learning.boosting import train_pooled
from glean.learning.forest import Forest
from glean.learning.histogram_grower import HistogramGrower
from glean.learning.loss import OBJECTIVES, Loss
from glean.learning.pooled_histogram import train_pooled_histogram
from glean.learning.splits import LEAST_GAIN, Penalties
from glean.learning.tree import NO_NODE, Tree
from glean.learning.xgboost_input import parameters, training_matrix
from glean.settings import BoostingSettings
from tests.histogram_federation import HistogramFederation, non_iid_matrix, singles
from tests.matrices import random_matrix, same_trees

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

FLOAT32_STEP = 2.0**-23


@dataclass(frozen=True)
class Grown:
    """A tree and the gain of each of its splits."""

    tree: Tree
    gain: Floats

    def goes_left(self, node: int, x: NDArray[np.float32]) -> NDArray[np.bool_]:
        values = x[:, self.tree.split_feature[node]]
        by_value = values < self.tree.value[node]
        left: NDArray[np.bool_] = np.where(
            np.isnan(values), self.tree.default_left[node] == 1, by_value
        )
        return left


@dataclass(frozen=True)
class Case:
    """A random table, and how trees are grown on it."""

    features: FeatureMatrix
    boosting: BoostingSettings

    @classmethod
    def of(cls, number: int) -> Case:
        rng = np.random.default_rng(1000 + number)
        boosting = BoostingSettings(
            max_depth=int(rng.integers(2, 8)),
            # Off the beaten numbers, so that no child lies on the boundary.
            min_child_weight=float(rng.choice([0.0, 1.37, 11.71])),
            reg_lambda=float(rng.choice([0.0, 1.0, 7.5])) + (number % 4 == 0),
            reg_alpha=float(rng.choice([0.0, 0.0, 2.5])),
            gamma=float(rng.choice([0.0, 0.0, 0.83])),
            subsample=1.0,
            colsample=1.0,
            objective=OBJECTIVES[number % 4],
            quantile_alpha=0.8,
            bins=int(rng.choice([8, 32, 32, 256])),
        )
        features = non_iid_matrix(int(rng.integers(300, 1500)), seed=number)
        unsold = rng.random(len(features)) < 0.05
        y = np.where(unsold, np.float32(np.nan), features.y)
        return cls(replace(features, y=y), boosting)


def grown_by_xgboost(case: Case, federation: HistogramFederation) -> Grown:
    """One tree of XGBoost's on the margin where the federation stands."""
    matrix = training_matrix(case.features, bins=case.boosting.bins)
    margin = federation.margins[0]
    matrix.set_base_margin(margin)
    asked = parameters(case.boosting, learning_rate=0.3, seed=0, device="cpu")
    booster = xgboost.Booster(asked, [matrix])
    if case.boosting.objective == "reg:quantileerror":
        # Given as gradients, since it would reset the leaves of its own objective to quantiles.
        gradient, hessian = weighted_gradients(case, federation).T
        asked = {k: v for k, v in asked.items() if k != "quantile_alpha"}
        asked["objective"] = "reg:squarederror"
        booster = xgboost.Booster(asked, [matrix])
        booster.boost(
            matrix,
            iteration=0,
            grad=gradient.astype(np.float32),
            hess=hessian.astype(np.float32),
        )
    else:
        booster.update(matrix, 0)
    return read_tree(booster)


def read_tree(booster: xgboost.Booster) -> Grown:
    model = json.loads(booster.save_raw("json"))
    found: dict[str, Any] = model["learner"]["gradient_booster"]["model"]["trees"][0]
    tree = Tree(
        np.array(found["left_children"], dtype=np.int32),
        np.array(found["right_children"], dtype=np.int32),
        np.array(found["split_indices"], dtype=np.int32),
        np.array(found["split_conditions"], dtype=np.float32),
        np.array(found["default_left"], dtype=np.uint8),
    )
    return Grown(tree, np.array(found["loss_changes"], dtype=np.float64))


def weighted_gradients(case: Case, federation: HistogramFederation) -> Floats:
    """Gradient and hessian of each row times its weight, shape (rows, 2)."""
    sold = np.isfinite(case.features.y)
    y = np.where(sold, case.features.y, np.float32(0))
    both = np.stack(Loss.of(case.boosting).gradients(y, federation.margins[0]), axis=1)
    weight = np.where(sold, case.features.weight, 0.0) / federation.unit_weight
    found: Floats = both * weight[:, None]
    return found


def pairs(
    ours: Grown, theirs: Grown, x: NDArray[np.float32], rows: Rows
) -> Iterator[tuple[int, int, Rows]]:
    """Nodes of both trees that hold the same of these rows: none below ties that differ."""
    waiting = [(0, 0, rows)]
    while waiting:
        a, b, rows = waiting.pop()
        yield a, b, rows
        if NO_NODE in (ours.tree.left[a], theirs.tree.left[b]):
            continue
        mine, other = ours.goes_left(a, x[rows]), theirs.goes_left(b, x[rows])
        if (mine == other).all():
            waiting.append((int(ours.tree.left[a]), int(theirs.tree.left[b]), rows[mine]))
            waiting.append((int(ours.tree.right[a]), int(theirs.tree.right[b]), rows[~mine]))


def compare(
    case: Case, federation: HistogramFederation, ours: Grown, theirs: Grown
) -> tuple[int, int]:
    """Compare node by node; how many rows there were, and how many came to the same leaf value."""
    x = in_bins(case.features.x, case.features.definition, bins=case.boosting.bins)
    penalties = Penalties.of(case.boosting, Loss.of(case.boosting))
    gradients = weighted_gradients(case, federation)
    counting = np.flatnonzero(gradients[:, 1] > 0)
    same = 0
    least = max(LEAST_GAIN, case.boosting.gamma)
    for a, b, rows in pairs(ours, theirs, x, counting):
        gain, other = ours.gain[a], theirs.gain[b]
        sums = gradients[rows].sum(axis=0)
        # XGBoost subtracts gains as float32: what is left of large ones is that coarse.
        own = penalties.gains(sums[:1], sums[1:])[0]
        close = 1e-5 * max(gain, other) + 4 * FLOAT32_STEP * (own + max(gain, other))
        leaves = (ours.tree.left[a] == NO_NODE, theirs.tree.left[b] == NO_NODE)
        if leaves == (True, True):
            assert ours.tree.value[a] == pytest.approx(theirs.tree.value[b], rel=1e-5, abs=2e-6)
            same += len(rows)
        elif leaves == (False, False):
            assert abs(gain - other) <= close, (gain, other)
            sides = ours.goes_left(a, x[rows])
            left, right = (gradients[rows[side]].sum(axis=0) for side in (sides, ~sides))
            exact = penalties.gains(*np.stack([left, right], axis=1)).sum() - own
            assert gain == pytest.approx(exact, rel=1e-5, abs=1e-8)
        else:
            assert abs(max(gain, other) - least) <= close, (gain, other)
    return len(counting), same


def one_tree(federation: HistogramFederation, *, seed: int) -> Grown:
    grower: HistogramGrower = federation.grower(seed=seed)
    (tree,) = federation.grow(grower)
    return Grown(tree, grower.gains()[0])


def test_gains_and_leaves_are_xgboost_s_on_twenty_tables() -> None:
    """All objectives and penalties; three trees each, every tree from the same margins."""
    rows, same, splits = 0, 0, 0
    for number in range(20):
        case = Case.of(number)
        federation = HistogramFederation([case.features], case.boosting)
        for seed in range(3):
            ours, theirs = one_tree(federation, seed=seed), grown_by_xgboost(case, federation)
            there, alike = compare(case, federation, ours, theirs)
            rows, same = rows + there, same + alike
            splits += int((ours.tree.left != NO_NODE).sum())
            federation.add([ours.tree])
    assert splits > 500
    # The rest would lie below ties, whose gains agreed; in these tables there is hardly one.
    assert same > 0.99 * rows, (same, rows)


@pytest.mark.parametrize("objective", ["reg:squarederror", "count:poisson", "reg:tweedie"])
def test_a_whole_model_forecasts_as_xgboost_s_does(objective: str) -> None:
    """Twenty trees in a row, the error of one being the next one's start."""
    features = random_matrix(1500, seed=3)
    # Weights are 0.4 and 1.6: a child of 20 would lie on the boundary, where float32 decides.
    boosting = BoostingSettings(
        objective=objective, max_depth=4, min_child_weight=19.9, subsample=1, colsample=1
    )
    ours, theirs = (
        train(features, boosting=boosting, learning_rate=0.2, steps=20, seed=1)
        for train in (train_pooled_histogram, train_pooled)
    )
    # What XGBoost grew on: some of its thresholds lie between public edges.
    binned = in_bins(features.x, features.definition, bins=boosting.bins)
    assert predict(ours, features.x) == pytest.approx(predict(theirs, binned), abs=1e-4)
    assert np.array_equal(predict(ours, features.x), predict(ours, binned))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_xgboost_forecasts_from_the_file_what_the_trainer_did(objective: str) -> None:
    """Thousands of rows that it never saw, with missing values and some beyond all edges."""
    boosting = BoostingSettings(objective=objective, trees_per_round=2, max_depth=5)
    federation = HistogramFederation([non_iid_matrix(900, seed=2)], boosting)
    features = random_matrix(6000, seed=8)
    spread = np.random.default_rng(0).choice(singles(-50, 0.1, 1, 30), features.x.shape)
    features = replace(features, x=features.x * spread)
    strangers = HistogramFederation([features], boosting)
    trees: list[Tree] = []
    for seed in range(6):
        new = federation.grow(federation.grower(seed=seed))
        trees += new
        federation.add(new)
        strangers.add(new)
    forest = Forest.empty(features.definition, objective=objective).plus(trees)
    booster = xgboost.Booster()
    booster.load_model(bytearray(forest.to_bytes()))
    rows = xgboost.DMatrix(features.x, feature_names=list(forest.feature_names), nthread=1)
    margin = booster.predict(rows, output_margin=True)
    assert np.array_equal(margin, strangers.margins[0])
    assert len(np.unique(margin)) > 500


def test_training_twice_gives_the_same_bytes_and_another_seed_others() -> None:
    """Rows and columns are drawn by the seed alone."""
    features, boosting = non_iid_matrix(400, seed=1), BoostingSettings(min_child_weight=3)
    first, again, other = (
        train_pooled_histogram(features, boosting=boosting, learning_rate=0.2, steps=3, seed=seed)
        for seed in (5, 5, 6)
    )
    assert same_trees(first, again)
    assert not same_trees(first, other)
