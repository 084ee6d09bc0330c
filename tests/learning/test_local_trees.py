"""The local baseline: chosen on its own validation window, and on nothing else."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, replace

import numpy as np
import pytest

from glean.features.matrix import FeatureMatrix
from glean.learning import local_trees
from glean.learning.booster import predict
from glean.learning.boosting import MOST_STEPS, PATIENCE, train_pooled
from glean.learning.local_trees import train_local_trees
from glean.metrics import wape
from glean.settings import BoostingSettings
from tests.matrices import random_matrix, same_trees

BOOSTING = BoostingSettings()


def units_wape(
    features: FeatureMatrix, relative: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> float:
    return wape(features.units, np.maximum(relative, 0.0) * features.level)


def test_the_choice_is_the_best_of_all_prefixes() -> None:
    """No depth and no number of trees that were tried does better on the validation window."""
    train, validation = random_matrix(500), random_matrix(100, seed=1)
    model = train_local_trees(train, validation, boosting=BOOSTING, seed=0)
    assert model.forest.tree_count == model.trees > 0
    assert model.validation_wape == pytest.approx(
        units_wape(validation, predict(model.forest, validation.x)), rel=1e-6
    )
    for shape in local_trees.SHAPES:
        whole = train_pooled(
            train,
            boosting=replace(BOOSTING, **asdict(shape)),
            learning_rate=local_trees.LEARNING_RATE,
            steps=PATIENCE,
            seed=0,
        )
        for count in range(PATIENCE + 1):
            score = units_wape(validation, predict(whole.first(count), validation.x))
            assert model.validation_wape <= score + 1e-9


def test_more_trees_are_grown_while_they_help() -> None:
    """With plenty of rows the choice goes beyond the first portion and has one of the depths."""
    model = train_local_trees(
        random_matrix(3_000), random_matrix(1_000, seed=1), boosting=BOOSTING, seed=0
    )
    assert model.depth in {shape.max_depth for shape in local_trees.SHAPES}
    assert PATIENCE < model.trees <= MOST_STEPS


def test_a_bakery_that_learns_nothing_keeps_the_level() -> None:
    """Where the trees only do harm, none are kept: the forecast is the level."""
    train, validation = random_matrix(300), random_matrix(100, seed=1)
    shifted = replace(train, y=train.y + np.float32(5.0))
    steady = replace(validation, units=validation.level)
    model = train_local_trees(shifted, steady, boosting=BOOSTING, seed=0)
    assert (model.trees, model.validation_wape) == (0, 0.0)


def test_parallel_trees_are_kept_together() -> None:
    """A cut falls between boosting steps, never inside one."""
    model = train_local_trees(
        random_matrix(400),
        random_matrix(80, seed=1),
        boosting=BoostingSettings(num_parallel_tree=3, subsample=0.7),
        seed=0,
    )
    assert model.trees > 0
    assert model.trees % 3 == 0


def test_without_validation_rows_the_default_is_grown() -> None:
    """A window without sales chooses nothing: the documented default is taken."""
    features = random_matrix(200)
    unsold = np.full(50, np.nan, dtype=np.float32)
    for validation in (random_matrix(0), replace(random_matrix(50), y=unsold)):
        model = train_local_trees(features, validation, boosting=BOOSTING, seed=0)
        assert (model.depth, model.trees) == (local_trees.DEFAULT_DEPTH, local_trees.DEFAULT_STEPS)
        assert math.isnan(model.validation_wape)


def test_without_training_rows_the_forecast_is_the_level() -> None:
    """Nothing to learn from: no trees."""
    validation = random_matrix(50)
    model = train_local_trees(random_matrix(0), validation, boosting=BOOSTING, seed=0)
    assert (model.depth, model.trees) == (0, 0)
    assert model.validation_wape == pytest.approx(wape(validation.units, validation.level))
    assert (predict(model.forest, validation.x) == 1.0).all()


def test_the_same_seed_gives_the_same_model() -> None:
    """Equal bytes for equal seeds, with subsampling too."""
    boosting = BoostingSettings(subsample=0.5, colsample=0.5)
    train, validation = random_matrix(300), random_matrix(80, seed=1)
    one, two, other = (
        train_local_trees(train, validation, boosting=boosting, seed=seed) for seed in (3, 3, 4)
    )
    assert same_trees(one.forest, two.forest)
    assert not same_trees(one.forest, other.forest)


def test_a_bakery_of_six_thousand_rows_takes_a_moment() -> None:
    """Fast enough to be trained for every bakery of a simulation (0.2 s on a quiet core)."""
    train, validation = random_matrix(6_000), random_matrix(150, seed=1)
    start = time.perf_counter()
    train_local_trees(train, validation, boosting=BOOSTING, seed=0)
    assert time.perf_counter() - start < 1.5
