"""Refining the federation's model: what it gets wrong here is learned, the rest is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from glean.features.matrix import FeatureMatrix
from glean.forecasting.bias_correction import BiasCorrection, bias_correction
from glean.forecasting.forecast_model import LocalTraining
from glean.forecasting.forecasters import TreeForecaster, WeightForecaster
from glean.forecasting.personalization import personalize
from glean.learning.forest import Forest
from glean.learning.residual import SHAPES, grow_residual
from glean.learning.weight_models import initial_weights
from glean.metrics import wape
from glean.settings import BoostingSettings
from tests.matrices import DEFINITION, random_forest, random_matrix

BOOSTING = BoostingSettings()
HOW = LocalTraining(BOOSTING, learning_rate=0.1, seed=1)
TRAINING, VALIDATION, TEST = (random_matrix(n, seed=k) for k, n in enumerate((900, 120, 300)))
EMPTY = Forest.empty(DEFINITION, objective="reg:squarederror")
NONE = TRAINING.rows(np.zeros(len(TRAINING), dtype=bool))


def test_own_trees_mend_what_the_federation_gets_wrong() -> None:
    """A global model of random trees is far off; the refined one isn't, on rows it never saw."""
    wrong = TreeForecaster(random_forest(2))
    personal = personalize(wrong, TRAINING, VALIDATION, how=HOW)
    before, after = wrong.predict(TEST), personal.predict(TEST)
    assert wape(TEST.units, after) < 0.6 * wape(TEST.units, before)
    assert 0.5 < personal.trees_share <= 1.0


def test_own_trees_stand_behind_the_federation_s() -> None:
    """Its trees are all there, as they were; each shape's leaves count a third."""
    own = grow_residual(EMPTY, TRAINING, VALIDATION, boosting=BOOSTING, seed=1)
    model = random_forest(3)
    personal = personalize(TreeForecaster(model), TRAINING, VALIDATION, how=HOW).model
    assert Forest.from_bytes(personal.to_bytes()).first(3).to_bytes() == model.to_bytes()
    assert own.tree_count >= len(SHAPES)


def test_without_days_to_choose_by_nothing_is_refined() -> None:
    """Neither without training nor without validation rows."""
    model = TreeForecaster(random_forest(2))
    for training, validation in ((TRAINING, NONE), (NONE, VALIDATION), (NONE, NONE)):
        personal = personalize(model, training, validation, how=HOW)
        assert personal.trees_share == 0.0
        assert personal.model is model


def test_a_model_of_weights_gets_a_level_only() -> None:
    """There are no trees to put behind it."""
    weights = WeightForecaster(initial_weights("poisson", DEFINITION, seed=1))
    personal = personalize(weights, TRAINING, VALIDATION, how=HOW)
    assert personal.model is weights
    assert set(personal.correction.factors) == {"all"}


def of_products(units: list[float], products: list[str]) -> FeatureMatrix:
    rows = random_matrix(len(units))
    dates = pd.date_range("2024-01-01", periods=len(units))
    keys = pd.DataFrame({"date": dates, "bakery": "north", "product": products})
    return replace(rows, units=np.array(units), keys=keys)


def test_a_level_is_drawn_towards_the_forecast() -> None:
    """Twice as much as forecast on two days moves the factor by 2 / 30, on many nearly to 2."""
    few = of_products([20.0, 20.0], ["roll", "roll"])
    factors = bias_correction(few, np.array([10.0, 10.0])).factors
    assert factors["roll"] == pytest.approx((40 + 280) / (20 + 280))
    many = of_products([20.0] * 80, ["roll"] * 80)
    assert 1.6 < bias_correction(many, np.full(80, 10.0)).factors["roll"] < 2.0


def test_a_level_is_applied_by_product_and_share() -> None:
    """Half of the way is the square root; an unknown product stays."""
    rows = of_products([1.0, 1.0], ["roll", "loaf"])
    levels = BiasCorrection({"roll": 4.0})
    assert levels.apply(np.array([10.0, 10.0]), rows, share=0.5).tolist() == [20.0, 10.0]
    assert levels.apply(np.array([10.0, 10.0]), rows, share=0.0).tolist() == [10.0, 10.0]
