"""Reasons of a forecast: which are named, and in what words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from glean.features.matrix import build_features
from glean.forecasting.drivers import MOST_NAMED, Driver, _named, _phrase, drivers
from glean.forecasting.forecasters import WeightForecaster
from glean.languages.language import ENGLISH
from glean.learning.weight_models import initial_weights
from tests.forecasting.test_future_rows import DEFINITION, LAST, TABLE


def test_a_promotion_is_named_however_weak() -> None:
    """In place of the weakest other; without words there is no reason."""
    strong = [Driver(f"group {k}", 0.5 - 0.1 * k, "words") for k in range(MOST_NAMED + 1)]
    weak = Driver("promotion", 0.01, "promotion")
    assert _named([*strong, weak]) == (*strong[: MOST_NAMED - 1], weak)
    assert _named([*strong, replace(weak, words="")]) == tuple(strong[:MOST_NAMED])
    assert _named([replace(strong[0], effect=0.01)]) == ()
    assert weak.in_words(ENGLISH) == "promotion: hardly a difference"


def test_a_forecast_by_habits_says_that_a_promotion_makes_no_difference() -> None:
    """With no model in it; weights, which give no reasons, stay silent."""
    features = build_features(TABLE, DEFINITION).between(LAST)
    features = replace(features, x=features.x.copy())
    features.x[:, DEFINITION.names.index("promotion")] = 1.0
    weights = WeightForecaster(initial_weights("poisson", DEFINITION, seed=1))
    assert [d.words for d in drivers(features, [], usual=features)[0]] == ["promotion"]
    assert drivers(features, [(1.0, weights)], usual=features) == [(), ()]


@pytest.mark.parametrize(
    ("group", "column", "value", "effect", "words"),
    [
        ("recent sales", "mean_7", 1.2, 0.1, "recent days above usual"),
        ("recent sales", "mean_7", 0.8, -0.1, "recent days below usual"),
        ("recent sales", "mean_7", 1.2, -0.1, "recent sales"),
        ("recent sales", "mean_7", np.nan, -0.1, "recent sales"),
        ("price", "price_change", 0.1, -0.1, "price went up"),
        ("price", "price_change", -0.1, 0.1, "price went down"),
        ("price", "price_change", 1e-16, 0.1, ""),
        ("price", "price_change", np.nan, 0.1, ""),
    ],
)
def test_no_reason_contradicts_what_it_explains(
    group: str, column: str, value: float, effect: float, words: str
) -> None:
    """Days above usual are no reason to bake less, and an unchanged price is none at all."""
    features = build_features(TABLE, DEFINITION).between(LAST)
    features = replace(features, x=features.x.copy())
    features.x[:, DEFINITION.names.index(column)] = value
    assert _phrase(group, effect, features, 0) == (words, 0)
