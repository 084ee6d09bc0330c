"""Trees grown round by round are those that XGBoost grows in one go."""

from __future__ import annotations

import warnings
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import xgboost

from glean.errors import SettingsError
from glean.features.definition import FeatureDefinition
from glean.learning.booster import predict, start_margin
from glean.learning.boosting import MOST_STEPS, PATIENCE, Shape, TreeLearner, train_pooled
from glean.learning.forest import Forest
from glean.learning.xgboost_input import parameters, training_matrix
from glean.settings import BoostingSettings
from tests.matrices import DEFINITION, random_forest, random_matrix, same_trees

OBJECTIVES = ["reg:squarederror", "reg:absoluteerror", "count:poisson", "reg:tweedie"]


def empty(boosting: BoostingSettings) -> Forest:
    return Forest.empty(DEFINITION, objective=boosting.objective)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("parallel", [1, 3])
def test_rounds_grow_the_trees_of_one_run(objective: str, parallel: int) -> None:
    """Four rounds on the carried margin give the trees of four steps of plain XGBoost."""
    boosting = BoostingSettings(
        max_depth=3, objective=objective, num_parallel_tree=parallel, subsample=1, colsample=1
    )
    features = random_matrix(400)
    learner = TreeLearner(features, boosting=boosting)
    margin, model = learner.start(), empty(boosting)
    for _ in range(4):
        grown = learner.grow(margin, learning_rate=0.3, steps=1, seed=5)
        assert grown.tree_count == parallel
        margin, model = learner.add(margin, grown), model.plus(grown.trees)
    pooled = train_pooled(features, boosting=boosting, learning_rate=0.3, steps=4, seed=5)
    assert same_trees(model, pooled)
    assert model.definition == DEFINITION


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("parallel", [1, 2])
def test_trees_are_grown_until_where_xgboost_stops_early(seed: int, parallel: int) -> None:
    """The trees that `xgboost.train` keeps by its own early stopping on the same other rows."""
    boosting = BoostingSettings(num_parallel_tree=parallel)
    rows, others = random_matrix(300, seed=seed), random_matrix(60, seed=seed + 100)
    learner, validation = (TreeLearner(each, boosting=boosting) for each in (rows, others))
    margins = (learner.start(), validation.start())
    shape = Shape(max_depth=3, min_child_weight=2.0)
    grown = learner.grow_until(validation, margins, shape=shape, learning_rate=0.2, seed=seed)
    matrices = []
    for features, margin in zip((rows, others), margins, strict=True):
        matrices.append(training_matrix(features, bins=boosting.bins))
        matrices[-1].set_base_margin(margin)
    wanted = parameters(boosting, learning_rate=0.2, seed=seed, device="cpu")
    booster = xgboost.train(
        wanted | asdict(shape) | {"eval_metric": "mae"},
        matrices[0],
        num_boost_round=MOST_STEPS,
        evals=[(matrices[1], "others")],
        early_stopping_rounds=PATIENCE,
        verbose_eval=False,
    )
    booster.feature_names = list(DEFINITION.names)
    kept = booster[: booster.best_iteration + 1]
    plain = Forest.from_bytes(bytes(kept.save_raw("ubj")), feature_names=DEFINITION.names)
    assert grown.tree_count == parallel * (booster.best_iteration + 1)
    assert same_trees(grown, replace(plain, attributes=grown.attributes))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_margins_added_in_portions_are_those_of_the_whole_model(objective: str) -> None:
    """Bit for bit, wherever the model is cut; also on trees that others grew."""
    features = random_matrix(500)
    boosting = BoostingSettings(objective=objective)
    learner = TreeLearner(features, boosting=boosting)
    forest = replace(random_forest(90, seed=2), objective=objective)
    whole = learner.add(learner.start(), forest)
    for cuts in ((1, 2), (33, 64), (7, 89)):
        margin = learner.start()
        for first, last in ((0, cuts[0]), cuts, (cuts[1], 90)):
            margin = learner.add(margin, replace(forest, trees=forest.trees[first:last]))
        assert np.array_equal(margin, whole)
    assert np.array_equal(learner.relative(whole), predict(forest, features.x))


def test_the_same_trees_can_be_added_again_elsewhere() -> None:
    """What trees add doesn't depend on what they were added to before."""
    learner, forest = TreeLearner(random_matrix(99), boosting=BoostingSettings()), random_forest(3)
    once = learner.add(learner.start(), forest)
    twice = learner.add(once, forest)
    assert np.array_equal(twice, learner.add(once, forest.first(3)))
    assert twice - once == pytest.approx(once - 1.0, abs=1e-5)
    assert np.array_equal(once, learner.add(learner.start(), forest))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_saved_model_forecasts_the_same_in_plain_xgboost(objective: str) -> None:
    """`load_model` on Glean's file predicts what Glean predicts."""
    features = random_matrix(300)
    boosting = BoostingSettings(objective=objective)
    forest = train_pooled(features, boosting=boosting, learning_rate=0.2, steps=9, seed=1)
    booster = xgboost.Booster()
    booster.load_model(bytearray(forest.to_bytes()))
    rows = xgboost.DMatrix(features.x, feature_names=list(DEFINITION.names))
    assert predict(forest, features.x) == pytest.approx(booster.predict(rows), rel=1e-6)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_empty_model_forecasts_the_level(objective: str) -> None:
    """Without trees the forecast is 1, in units the level."""
    boosting = BoostingSettings(objective=objective)
    features = random_matrix(10)
    learner = TreeLearner(features, boosting=boosting)
    assert (learner.relative(learner.start()) == 1.0).all()
    assert (predict(empty(boosting), features.x) == 1.0).all()
    assert len(predict(random_forest(2), features.x[:0])) == 0


def test_the_unit_of_sales_changes_no_tree() -> None:
    """Loaves or cents: weights a hundred times larger give the same trees."""
    boosting = BoostingSettings(min_child_weight=20.0, reg_lambda=5.0)
    loaves = random_matrix(400)
    cents = replace(loaves, weight=loaves.weight * 128)
    one, other = (
        train_pooled(features, boosting=boosting, learning_rate=0.3, steps=3, seed=0)
        for features in (loaves, cents)
    )
    assert same_trees(one, other)


def test_rows_count_by_their_weight() -> None:
    """A tree without splits takes the weighted mean of the residuals, shrunk by lambda."""
    features = random_matrix(400)
    boosting = BoostingSettings(max_depth=1, gamma=1e9, reg_lambda=0.0, subsample=1)
    forest = train_pooled(features, boosting=boosting, learning_rate=1.0, steps=1, seed=0)
    mean = np.average(features.y, weights=features.weight)
    assert predict(forest, features.x) == pytest.approx(np.full(400, mean), rel=1e-5)


def test_days_still_to_come_teach_nothing() -> None:
    """Rows without sales are forecast and change no tree."""
    features, boosting = random_matrix(300), BoostingSettings(max_depth=3, subsample=1)
    sold = np.arange(300) < 250
    y = np.where(sold, features.y, np.nan).astype(np.float32)
    with_future = TreeLearner(replace(features, y=y), boosting=boosting)
    grown = with_future.grow(with_future.start(), learning_rate=0.3, steps=2, seed=0)
    assert np.isfinite(with_future.add(with_future.start(), grown)).all()
    past = train_pooled(features.rows(sold), boosting=boosting, learning_rate=0.3, steps=2, seed=0)
    assert predict(grown, features.x) == pytest.approx(predict(past, features.x), abs=1e-5)


def test_seeds_and_neighbours() -> None:
    """The same seed gives the same trees, beside another learner too; another seed others."""
    boosting = BoostingSettings(subsample=0.5, colsample=0.5)
    features = random_matrix(300)

    def grown(seed: int) -> Forest:
        learner = TreeLearner(features, boosting=boosting)
        return learner.grow(learner.start(), learning_rate=0.3, steps=3, seed=seed)

    first = grown(2**31 - 1)
    learners = [TreeLearner(random_matrix(200, seed=k), boosting=boosting) for k in range(3)]
    for learner in learners:
        learner.grow(learner.start(), learning_rate=0.3, steps=2, seed=9)
    assert same_trees(first, grown(2**31 - 1))
    assert not same_trees(first, grown(1))


def test_a_bakery_without_rows_can_be_asked() -> None:
    """No rows: margins are empty, whatever the model."""
    learner = TreeLearner(random_matrix(0), boosting=BoostingSettings())
    assert learner.start().shape == (0,)
    assert learner.add(learner.start(), random_forest(3)).shape == (0,)


def test_a_covariate_that_xgboost_refuses_is_named() -> None:
    """Brackets in a column name are refused in words, before XGBoost does."""
    definition = FeatureDefinition(horizon_days=1, season=False, covariates=("rain [mm]",))
    with pytest.raises(SettingsError, match=r"'rain \[mm\]'.*rename"):
        TreeLearner(random_matrix(9, definition=definition), boosting=BoostingSettings())


def test_start_margins_are_the_level_before_the_link() -> None:
    """1 on the plain scale, 0 = log(1) on the log scale."""
    assert [start_margin(objective) for objective in OBJECTIVES] == [1.0, 1.0, 0.0, 0.0]


def test_a_gpu_that_is_not_there_is_said() -> None:
    """XGBoost only warns and trains on the CPU; Glean refuses."""
    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    learner = TreeLearner(random_matrix(60), boosting=BoostingSettings(), device="gpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # XGBoost's own word on the missing GPU
        with pytest.raises(SettingsError, match="device: found gpu; XGBoost finds none here"):
            learner.grow(learner.start(), learning_rate=0.3, steps=1, seed=0)


def test_the_learner_says_where_trees_were_grown() -> None:
    """Nothing before the first tree; then XGBoost's own word for the device."""
    learner = TreeLearner(random_matrix(60), boosting=BoostingSettings())
    assert learner.device_used == ""
    learner.grow(learner.start(), learning_rate=0.3, steps=1, seed=0)
    assert learner.device_used == "cpu"
