"""Reasons of a forecast: which are named, and in what words."""

from __future__ import annotations

from dataclasses import replace

from glean.features.matrix import build_features
from glean.forecasting.drivers import MOST_NAMED, Driver, _named, drivers
from glean.learning.averaged import initial_weights
from tests.test_coming_days import DEFINITION, LAST, TABLE


def test_a_promotion_is_named_however_weak() -> None:
    """In place of the weakest other; without words there is no reason."""
    strong = [Driver(f"group {k}", 0.5 - 0.1 * k, "words") for k in range(MOST_NAMED + 1)]
    weak = Driver("promotion", 0.01, "promotion")
    assert _named([*strong, weak]) == (*strong[: MOST_NAMED - 1], weak)
    assert _named([*strong, replace(weak, words="")]) == tuple(strong[:MOST_NAMED])
    assert _named([replace(strong[0], effect=0.01)]) == ()
    assert weak.in_words() == "promotion: hardly a difference"


def test_a_forecast_by_habits_says_that_a_promotion_makes_no_difference() -> None:
    """With no model in it; weights, which give no reasons, stay silent."""
    features = build_features(TABLE, DEFINITION).between(LAST)
    features = replace(features, x=features.x.copy())
    features.x[:, DEFINITION.names.index("promotion")] = 1.0
    weights = initial_weights("poisson", DEFINITION, seed=1)
    assert [d.words for d in drivers(features, [], usual=features)[0]] == ["promotion"]
    assert drivers(features, [(1.0, weights)], usual=features) == [(), ()]
