"""Why a forecast is what it is: values that add up, counted on the bakery's own rows."""

from __future__ import annotations

import numpy as np
import pytest

from glean.features.definition import FeatureDefinition
from glean.forecasting.drivers import GROUPS, drivers, group_of
from glean.forecasting.forecasters import TreeForecaster, WeightForecaster
from glean.learning.booster import predict
from glean.learning.boosting import train_pooled
from glean.learning.contributions import contributions
from glean.learning.forest import Forest
from glean.learning.weight_models import initial_weights
from glean.settings import BoostingSettings
from tests.matrices import DEFINITION, random_matrix

ROWS = random_matrix(600)
MODEL = train_pooled(
    ROWS, boosting=BoostingSettings(max_depth=4), learning_rate=0.3, steps=10, seed=1
)


def test_contributions_add_up_to_the_difference_from_the_mean() -> None:
    """Row by row, up to one constant: the mean over the background, nearly."""
    found = contributions(MODEL, ROWS.x[:50], background=ROWS.x)
    rest = predict(MODEL, ROWS.x[:50]) - found.sum(axis=1)
    assert rest.std() < 1e-4
    assert rest.mean() == pytest.approx(predict(MODEL, ROWS.x).mean(), abs=0.02)


def test_a_feature_that_no_tree_asks_moves_nothing() -> None:
    """And those that demand was made of move most."""
    found = np.abs(contributions(MODEL, ROWS.x[:100], background=ROWS.x)).mean(axis=0)
    asked = {int(f) for t in MODEL.trees for f in t.split_feature[t.left >= 0]}
    unasked = [k for k in range(len(DEFINITION.names)) if k not in asked]
    assert (found[unasked] == 0).all()
    best = {DEFINITION.names[k] for k in np.argsort(found)[-2:]}
    assert best == {"weekday", "lag_7"}


def test_without_background_or_trees_there_are_finite_values() -> None:
    """A bakery without a day has no rows to count."""
    assert np.isfinite(contributions(MODEL, ROWS.x[:5], background=ROWS.x[:0])).all()
    empty = Forest.empty(DEFINITION, objective="reg:squarederror")
    assert not contributions(empty, ROWS.x[:5], background=ROWS.x).any()


def test_every_column_has_a_group_but_further_covariates() -> None:
    """The words are about what a baker knows."""
    names = FeatureDefinition(horizon_days=1, season=True, covariates=("market_day",)).names
    groups = {name: group_of(name) for name in names}
    assert {name for name, group in groups.items() if group == "other"} == {"market_day"}
    assert set(groups.values()) - {"other"} == set(GROUPS)


def test_the_strongest_drivers_are_named_in_words() -> None:
    """The weekday by its name; never more than three; a model of weights has none."""
    rows = ROWS.rows(np.arange(len(ROWS)) < 20)
    found = drivers(rows, [(1.0, TreeForecaster(MODEL))], usual=ROWS)
    assert len(found) == 20
    assert any(driver.words == "Sunday" for row in found for driver in row)
    for row in found:
        assert len(row) <= 3
        sizes = [abs(driver.effect) for driver in row]
        assert sizes == sorted(sizes, reverse=True)
    weights = WeightForecaster(initial_weights("poisson", DEFINITION, seed=1))
    assert drivers(rows, [(1.0, weights)], usual=ROWS) == [()] * 20
