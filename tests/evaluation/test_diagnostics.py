"""What only a simulation knows: the pooled baseline, the truth, single days."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from glean.evaluation.tables import diagnostics
from glean.evaluation.tables.backtest import evaluate
from glean.evaluation.tables.diagnostics import Diagnostics, diagnose, train_pooled_baseline
from glean.evaluation.tables.scores import naive_scale
from glean.features.bakery_rows import BakeryRows, bakery_rows_of
from glean.features.definition import FeatureDefinition
from glean.features.matrix import stack
from glean.forecasting.baselines import baselines
from glean.forecasting.forecasters import TreeForecaster
from glean.learning.boosting import train_pooled
from glean.learning.forest import Forest
from glean.metrics import mase, wape
from glean.node_settings import NodeSettings
from glean.settings import ConfigValue, RunSettings
from tests.matrices import random_tree

CONFIG: dict[str, ConfigValue] = {"max-depth": 2, "min-child-weight": 1.0, "test-days": 20}
SETTINGS = RunSettings.from_config(CONFIG)
DEFINITION = FeatureDefinition(horizon_days=1, season=False)


def bakery(
    partition: int, settings: RunSettings = SETTINGS, *, newcomer: bool = False
) -> BakeryRows:
    found = bakery_rows_of(NodeSettings(partition), settings, newcomer=newcomer)
    assert found is not None
    return found


@cache
def model() -> TreeForecaster:
    rng = np.random.default_rng(1)
    trees = [random_tree(rng, columns=len(DEFINITION.names)).scaled(0.05) for _ in range(3)]
    return TreeForecaster(Forest.empty(DEFINITION, objective="reg:squarederror").plus(trees))


def inside(participants: list[BakeryRows], settings: RunSettings = SETTINGS) -> Diagnostics:
    pooled = None
    if settings.baselines:
        pooled = train_pooled_baseline(
            participants, DEFINITION, settings, learning_rate=0.3, steps=2
        )
    return diagnose(participants, model(), pooled)


@cache
def insight() -> Diagnostics:
    return inside([bakery(0), bakery(1)])


def test_the_pooled_rival_is_xgboost_on_all_rows_in_one_place() -> None:
    """Same rows and as many trees a step as the federation; scored on each test."""
    participants = [bakery(0), bakery(1)]
    rows = stack([p.training(DEFINITION) for p in participants])
    as_wide = replace(SETTINGS.boosting, num_parallel_tree=2)
    forest = train_pooled(rows, boosting=as_wide, learning_rate=0.3, steps=2, seed=42)
    assert [score.method for score in insight().pooled] == ["pooled", "pooled"]
    for score, participant in zip(insight().pooled, participants, strict=True):
        test = participant.test(DEFINITION)
        assert score.bakery == participant.sales.name
        assert score.wape == pytest.approx(wape(test.units, TreeForecaster(forest).predict(test)))


def test_the_pooled_rival_is_judged_on_the_rows_that_the_bakery_judges() -> None:
    """Days, rows, units and cohort are those of the bakery's own final scores."""
    participant = bakery(0)
    own = evaluate(
        model(),
        client_model=None,
        bakery=participant.sales.name,
        cohort=participant.windows.cohort,
        training=participant.training(DEFINITION),
        test=participant.test(DEFINITION),
    )
    pooled = insight().pooled[0]
    for name in ("bakery", "cohort", "n_days", "n_rows", "units"):
        assert getattr(pooled, name) == getattr(own[0], name)
    training, test = participant.training(DEFINITION), participant.test(DEFINITION)
    forecast = insight().forecasts.query("bakery == @pooled.bakery")["pooled"]
    assert pooled.mase == pytest.approx(mase(test.units, forecast, naive_scale(training, test)))


def test_the_truth_is_the_expected_demand_of_each_row() -> None:
    """Looked up day by day and product by product, the slow way."""
    truth = insight().truth
    assert truth is not None
    assert list(truth) == ["bakery", "units", "abs_error", "wape"]
    participant = bakery(1)
    rows, expected = participant.sales.table.rows, participant.sales.expected
    assert expected is not None
    by_key = {
        (product, date): value
        for product, date, value in zip(rows["product"], rows["date"], expected, strict=True)
    }
    test = participant.test(DEFINITION)
    wanted = [by_key[key] for key in zip(test.keys["product"], test.keys["date"], strict=True)]
    row = truth.set_index("bakery").loc[participant.sales.name]
    assert row["units"] == pytest.approx(test.units.sum())
    assert row["wape"] == pytest.approx(wape(test.units, wanted))
    assert row["abs_error"] == pytest.approx(np.abs(test.units - wanted).sum())


def test_a_newcomer_s_truth_stays_beside_its_rows() -> None:
    """Cut to its last days, a bakery has the same truth on the days that are left."""
    kept = inside([bakery(0, newcomer=True), bakery(1)]).forecasts
    whole = insight().forecasts
    keys = ["date", "bakery", "product"]
    both = kept.merge(whole, on=keys, suffixes=("", "_whole"))
    assert len(both) == len(kept)
    assert np.array_equal(both["best_possible"], both["best_possible_whole"])
    assert not np.array_equal(both["pooled"], both["pooled_whole"])


def test_single_days_have_a_column_a_method() -> None:
    """Keys, units, then every method that is known on these rows; each value its forecast."""
    days = insight().forecasts
    assert list(days) == [
        "date",
        "bakery",
        "product",
        "units",
        "federated",
        "pooled",
        "weekday-mean",
        "last-week",
        "best_possible",
    ]
    assert not days.isna().to_numpy().any()
    participant = bakery(1)
    test = participant.test(DEFINITION)
    mine = days[days["bakery"] == participant.sales.name].reset_index(drop=True)
    assert np.array_equal(mine["units"], test.units)
    assert np.array_equal(mine["federated"], model().predict(test))
    for name, forecast in baselines(test).items():
        assert np.array_equal(mine[name], forecast)


def test_without_baselines_only_the_federation_and_the_truth_are_left() -> None:
    """No pooled training, no baselines."""
    found = inside([bakery(0)], replace(SETTINGS, baselines=False))
    assert found.pooled == []
    columns = ["date", "bakery", "product", "units", "federated", "best_possible"]
    assert list(found.forecasts) == columns


def test_a_real_table_has_no_truth(three_bakeries: str) -> None:
    """Nobody knows the expected demand of a real bakery."""
    settings = RunSettings.from_config(CONFIG | {"sales": three_bakeries})
    found = inside([bakery(k, settings) for k in range(3)], settings)
    assert found.truth is None
    assert "best_possible" not in found.forecasts
    assert len(found.pooled) == 3


def test_only_so_many_bakeries_keep_single_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large federation's file stays small; scores and truth are of everyone."""
    monkeypatch.setattr(diagnostics, "SHOWN_BAKERIES", 1)
    found = inside([bakery(0), bakery(1)])
    assert found.forecasts["bakery"].unique().tolist() == [bakery(0).sales.name]
    assert found.truth is not None
    assert (len(found.truth), len(found.pooled)) == (2, 2)


def test_a_bakery_with_too_few_days_is_left_out_of_the_pool(three_bakeries: str) -> None:
    """The pooled baseline learns from those that the federation trains on."""
    settings = RunSettings.from_config(CONFIG | {"sales": three_bakeries, "newcomer-days": 15})
    short, long = bakery(0, settings, newcomer=True), bakery(1, settings)
    assert not short.windows.trains
    assert len(short.training(DEFINITION)) > 0
    both, alone = inside([short, long], settings), inside([long], settings)
    name = long.sales.name
    pooled = [
        found.forecasts.loc[found.forecasts["bakery"] == name, "pooled"].reset_index(drop=True)
        for found in (both, alone)
    ]
    pd.testing.assert_series_equal(pooled[0], pooled[1])
