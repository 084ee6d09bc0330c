"""The final test: every method on the same rows, and nothing impossible from afar."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.errors import ModelError
from glean.evaluation.tables.backtest import (
    CLIENT_METHODS,
    evaluate,
    rows_from_json,
    rows_to_json,
)
from glean.evaluation.tables.scores import BakeryScore, naive_scale
from glean.features.matrix import FeatureMatrix, build_features
from glean.forecasting.baselines import baselines
from glean.forecasting.client_model import ClientModel, fit_client_model
from glean.forecasting.forecasters import TreeForecaster
from glean.learning.forest import Forest
from glean.learning.local_trees import train_local_trees
from glean.metrics import mase, wape
from glean.settings import BoostingSettings
from tests.matrices import DEFINITION, random_forest
from tests.tables import random_table

BOOSTING = BoostingSettings(max_depth=2, min_child_weight=1.0)


def windows() -> tuple[FeatureMatrix, FeatureMatrix, FeatureMatrix]:
    """Training, validation and test rows of one bakery."""
    rows = build_features(random_table(days=110), DEFINITION)
    days = sorted(rows.keys["date"].unique())
    return (
        rows.between(end=days[-30]),
        rows.between(days[-30], days[-15]),
        rows.between(days[-15]),
    )


TRAINING, VALIDATION, TEST = windows()


def client_model(model: TreeForecaster) -> ClientModel:
    return fit_client_model(
        model, TRAINING, VALIDATION, boosting=BOOSTING, learning_rate=0.1, seed=3
    )


def evaluated(
    model: TreeForecaster, *, alone: bool = False, test: FeatureMatrix = TEST
) -> list[BakeryScore]:
    return evaluate(
        model,
        client_model=None if alone else client_model(model),
        bakery="north",
        cohort="established",
        training=TRAINING,
        test=test,
    )


def forecaster(trees: int) -> TreeForecaster:
    return TreeForecaster(random_forest(trees))


def forest_of_leaf(value: float) -> Forest:
    """One tree that is a single leaf, on the test rows' features."""
    tree = random_forest(1, depth=0).trees[0]
    return Forest.empty(DEFINITION, objective="reg:squarederror").plus(
        [replace(tree, value=np.array([value], np.float32))]
    )


def test_every_method_is_judged_on_the_same_rows() -> None:
    """The federation's, what was made of it, local and baselines: equal days, rows and units."""
    scores = evaluated(forecaster(2))
    assert tuple(score.method for score in scores) == CLIENT_METHODS
    facts = {(s.bakery, s.cohort, s.n_days, s.n_rows, s.units) for s in scores}
    assert facts == {("north", "established", 15, 30, TEST.units.sum())}


def test_each_method_s_figure_is_that_of_its_forecast() -> None:
    """The rows say what the forecasts, made one by one, say."""
    model = forecaster(2)
    grown = train_local_trees(TRAINING, VALIDATION, boosting=BOOSTING, seed=3).forest
    alone = TreeForecaster(grown)
    own = client_model(model)
    forecasts = {"federated": model.predict(TEST), "local": alone.predict(TEST)}
    forecasts |= {"personalised": own.personalized.predict(TEST), **baselines(TEST)}
    forecasts["chosen"] = own.selection.combine(forecasts)
    scale = naive_scale(TRAINING, TEST)
    for score in evaluated(model):
        forecast = forecasts[score.method]
        assert score.wape == pytest.approx(wape(TEST.units, forecast))
        assert score.mase == pytest.approx(mase(TEST.units, forecast, scale))


def test_without_baselines_only_the_federation_is_evaluated() -> None:
    """The baselines cost time; who doesn't want them doesn't wait for them."""
    assert [score.method for score in evaluated(forecaster(1), alone=True)] == ["federated"]


def test_a_bakery_without_test_rows_is_listed_all_the_same() -> None:
    """It has a row a method, without figures."""
    none = TEST.rows(np.zeros(len(TEST), dtype=bool))
    scores = evaluated(forecaster(1), test=none)
    assert [score.n_rows for score in scores] == [0] * len(CLIENT_METHODS)
    assert all(math.isnan(score.wape) for score in scores)
    assert str(rows_from_json(rows_to_json(scores), bakery="north")) == str(scores)


def test_no_forecast_is_below_zero() -> None:
    """Nobody bakes minus five rolls, and no method is spared that: all are cut at zero."""
    forecast = TreeForecaster(forest_of_leaf(-3.0)).predict(TEST)
    assert np.array_equal(forecast, np.zeros(len(TEST)))


ROW: dict[str, Any] = {
    "bakery": "north",
    "cohort": "newcomer",
    "method": "federated",
    "n_days": 2,
    "units": 10.0,
    "abs_error": 3.0,
    "wape": 0.3,
    "mae": 1.5,
    "rmse": 1.6,
    "mape": None,
    "mase": 0.8,
    "bias": -0.1,
    "n_rows": 2,
}


def sent(*changes: dict[str, Any]) -> str:
    return json.dumps([ROW | change for change in changes])


@settings(max_examples=50)
@given(st.floats(0, 1e12), st.floats(-9, 9), st.one_of(st.none(), st.floats(0, 1e6)))
def test_rows_come_back_as_they_were_sent(units: float, bias: float, mape: float | None) -> None:
    """To the bit; a figure that isn't known stays unknown."""
    score = BakeryScore.from_row(
        ROW | {"units": units, "bias": bias, "mape": math.nan if mape is None else mape}
    )
    (found,) = rows_from_json(rows_to_json([score]), bakery="north")
    assert str(found) == str(score)


def test_an_honest_bakery_s_rows_are_let_in() -> None:
    """Each of its methods once."""
    scores = evaluated(forecaster(2))
    assert rows_from_json(rows_to_json(scores), bakery="north") == scores


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "{}",
        "[]",
        "null",
        "3",
        "[3]",
        "[[]]",
        "[{}]",
        '["federated"]',
        "[" * 100_000,
        sent({}).replace("10.0", "NaN"),
        sent({}).replace("10.0", "Infinity"),
        sent({}).replace("10.0", "1e999"),
        sent({}).replace('"n_days": 2', '"n_days": 1e999'),
        sent({}).replace('"n_days": 2', '"n_days": ' + "9" * 5000),
        sent({"n_rows": "two"}),
        sent({"wape": [0.3]}),
        sent({"wape": "inf"}),
        sent({"units": None}),
        sent({"n_rows": None}),
        sent({"units": -10.0}),
        sent({"wape": -0.3}),
        sent({"method": "oracle"}),
        sent({"method": "pooled"}),
        sent({"method": "local"}),
        sent({}, {}),
        sent({}, {"method": "local", "units": 11.0}),
        sent({}, {"method": "local", "n_rows": 3}),
        sent({}, {"method": "local", "bakery": "south"}),
        sent({"bakery": "south"}),
        sent({"cohort": "elders"}),
        json.dumps([{k: v for k, v in ROW.items() if k != "mase"}]),
    ],
    ids=lambda text: text[:40],
)
def test_rows_that_can_not_be_are_refused(text: str) -> None:
    """Garbage, infinities, unknown methods, another's name: a model error, not a broken run."""
    with pytest.raises(ModelError, match="the final scores"):
        rows_from_json(text, bakery="north")


@given(st.text(max_size=60))
def test_any_text_ends_in_a_model_error(text: str) -> None:
    """No text of a stranger ends in another error."""
    with pytest.raises(ModelError):
        rows_from_json(text, bakery="north")
