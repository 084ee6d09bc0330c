"""The two kinds of forecast model answer the same questions, each in its own way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from glean.errors import ModelError
from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix
from glean.forecasting.forecast_model import ForecastModel, LocalTraining
from glean.forecasting.forecasters import TreeForecaster, WeightForecaster, read_model
from glean.learning.forest import Forest
from glean.learning.local_trees import train_local_trees
from glean.learning.local_weights import train_local_weights
from glean.learning.weight_models import initial_weights
from glean.settings import BoostingSettings
from tests.matrices import DEFINITION, random_forest, random_matrix

TRAINING, VALIDATION, ROWS = (random_matrix(n, seed=k) for k, n in enumerate((300, 60, 40)))
NONE = TRAINING.rows(np.zeros(len(TRAINING), dtype=bool))
HOW = LocalTraining(BoostingSettings(max_depth=2), learning_rate=0.5, seed=3)

TREES = TreeForecaster(random_forest(2))
NETWORK, LINEAR = (
    WeightForecaster(initial_weights(kind, DEFINITION, seed=1)) for kind in ("neural", "poisson")
)
MODELS: list[ForecastModel] = [TREES, NETWORK, LINEAR]

either = pytest.mark.parametrize("model", MODELS, ids=["trees", "neural", "poisson"])


@either
def test_a_file_gives_the_model_back(model: ForecastModel) -> None:
    """Same kind, bytes, features and forecasts."""
    read = read_model(model.to_bytes())
    assert type(read) is type(model)
    assert read.to_bytes() == model.to_bytes()
    assert read.definition == model.definition == DEFINITION
    assert np.array_equal(read.predict(ROWS), model.predict(ROWS))


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"{}", b"PK\x03\x04" + bytes(40), TREES.to_bytes()[:-1], LINEAR.to_bytes()[:-1]],
)
def test_a_foreign_file_is_refused(content: bytes) -> None:
    """Neither trees nor weights, or cut short."""
    with pytest.raises(ModelError):
        read_model(content)


@either
def test_a_forecast_is_in_units_and_never_below_zero(model: ForecastModel) -> None:
    """What the model says, times the level."""
    relative = model.relative(ROWS.x)
    assert relative.shape == (len(ROWS),)
    assert np.array_equal(model.predict(ROWS), np.maximum(relative * ROWS.level, 0.0))
    assert ROWS.units_of(-relative).max() == 0.0


@either
def test_a_model_is_never_fed_other_features(model: ForecastModel) -> None:
    """Rows of another definition are refused, with the beginnings of both identities."""
    other = FeatureDefinition(horizon_days=2, season=False)
    words = f"features {other.identity[:12]}; the model {DEFINITION.identity[:12]}"
    with pytest.raises(ModelError, match=words):
        model.predict(random_matrix(5, definition=other))


def test_trees_tell_what_they_go_by_and_weights_do_not() -> None:
    """Only columns that are split on move a forecast."""
    used = TREES.columns_used()
    moved = TREES.contributions(ROWS.x, TRAINING.x)
    assert 0 < len(used) < len(DEFINITION.names)
    assert moved.shape == ROWS.x.shape
    names = np.array(DEFINITION.names)
    assert set(names[np.abs(moved).max(axis=0) > 0]) <= used
    assert TreeForecaster(random_forest(0)).columns_used() == frozenset()
    for model in MODELS[1:]:
        assert model.columns_used() is None
        assert model.contributions(ROWS.x, TRAINING.x) is None


@pytest.mark.parametrize("objective", ["reg:squarederror", "count:poisson"])
def test_own_trees_have_the_federation_s_objective(objective: str) -> None:
    """Whatever the settings say; the learning rate is the trees' own."""
    shared = TreeForecaster(Forest.empty(DEFINITION, objective=objective))
    own = shared.train_local(TRAINING, VALIDATION, HOW)
    boosting = replace(HOW.boosting, objective=objective)
    grown = train_local_trees(TRAINING, VALIDATION, boosting=boosting, seed=HOW.seed)
    assert own.forest.objective == objective
    assert own.to_bytes() == grown.forest.to_bytes()


@pytest.mark.parametrize("model", [NETWORK, LINEAR], ids=["neural", "poisson"])
def test_own_weights_are_of_the_federation_s_kind(model: WeightForecaster) -> None:
    """They take the learning rate, and no settings of trees."""
    own = model.train_local(TRAINING, VALIDATION, HOW)
    wanted = train_local_weights(
        model.weights.kind, TRAINING, VALIDATION, learning_rate=0.5, seed=HOW.seed
    )
    assert own.to_bytes() == wanted.to_npz()


def test_a_share_of_what_was_learned_is_taken() -> None:
    """The federation's trees stay; half the share moves a forecast half as far."""
    with_share = TREES.refinement(TRAINING, VALIDATION, HOW)
    assert with_share is not None
    none, half, whole = (with_share(share).relative(ROWS.x) for share in (0.0, 0.5, 1.0))
    assert none == pytest.approx(TREES.relative(ROWS.x), abs=1e-5)
    assert half == pytest.approx((none + whole) / 2, abs=1e-5)
    assert not np.allclose(none, whole)


@pytest.mark.parametrize(
    ("model", "validation"), [(TREES, NONE), (NETWORK, VALIDATION), (LINEAR, VALIDATION)]
)
def test_where_nothing_is_learned_the_model_stays(
    model: ForecastModel, validation: FeatureMatrix
) -> None:
    """Trees without days to choose by, and all weights."""
    assert model.refinement(TRAINING, validation, HOW) is None
