"""Scores of one bakery: one row a method, on the same rows, adding up to the federation's."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glean import metrics
from glean.evaluation.tables.scores import (
    SCORE_COLUMNS,
    BakeryScore,
    naive_scale,
    score_frame,
    score_methods,
    trading_week,
)
from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix, build_features
from glean.metrics import Floats
from glean.sales.table import SalesTable

SPLIT = pd.Timestamp("2024-03-01")


def features(closed_weekdays: tuple[int, ...] = (6,)) -> FeatureMatrix:
    dates = pd.date_range("2024-01-01", "2024-03-31", freq="D")
    dates = dates[~dates.day_of_week.isin(closed_weekdays)]
    rng = np.random.default_rng(3)
    parts = [
        pd.DataFrame(
            {
                "date": dates,
                "bakery": "corner",
                "product": product,
                "units": rng.poisson(size, len(dates)).astype(float),
            }
        )
        for product, size in (("bread", 20), ("rolls", 150))
    ]
    table = SalesTable(pd.concat(parts, ignore_index=True))
    return build_features(table, FeatureDefinition(horizon_days=1, season=False))


def test_a_row_holds_every_metric_of_its_method() -> None:
    """Each method's row is what the metrics say of its forecast, on all rows."""
    test = features().between(start=SPLIT)
    forecasts = {"federated": test.level, "zero": np.zeros(len(test))}
    scale = np.full(len(test), 4.0)
    found = score_methods(test, forecasts, bakery="corner", cohort="established", scale=scale)
    assert [score.method for score in found] == ["federated", "zero"]
    for score, forecast in zip(found, forecasts.values(), strict=True):
        assert score.n_rows == len(test)
        assert score.n_days == len(test) / 2
        assert score.units == pytest.approx(test.units.sum())
        assert score.abs_error == pytest.approx(np.abs(forecast - test.units).sum())
        assert score.wape == pytest.approx(metrics.wape(test.units, forecast))
        assert score.mae == pytest.approx(metrics.mae(test.units, forecast))
        assert score.rmse == pytest.approx(metrics.rmse(test.units, forecast))
        assert score.mape == pytest.approx(metrics.mape(test.units, forecast))
        assert score.bias == pytest.approx(metrics.bias(test.units, forecast))
        assert score.mase == pytest.approx(metrics.mae(test.units, forecast) / 4.0)


def test_scores_survive_the_file(tmp_path: Path) -> None:
    """What is written to bakeries.csv is read back the same, column by column in order."""
    test = features().between(start=SPLIT)
    scores = score_methods(
        test,
        {"federated": test.level},
        bakery="Müller, 7",
        cohort="newcomer",
        scale=naive_scale(features().between(end=SPLIT), test),
    )
    path = tmp_path / "bakeries.csv"
    score_frame(scores).to_csv(path, index=False)
    assert path.read_text().splitlines()[0] == ",".join(SCORE_COLUMNS)
    rows = pd.read_csv(path, dtype=str).to_dict("records")
    assert [BakeryScore.from_row({str(k): v for k, v in row.items()}) for row in rows] == scores


@pytest.mark.parametrize(
    ("forecast", "said"),
    [(np.zeros(3), "shape"), (None, "finite")],
)
def test_methods_must_share_all_rows(forecast: Floats | None, said: str) -> None:
    """A forecast with rows missing or NaN is a slip that is refused, never scored on fewer rows."""
    test = features().between(start=SPLIT)
    if forecast is None:
        forecast = np.where(np.arange(len(test)) == 5, np.nan, test.level)
    with pytest.raises(ValueError, match=said):
        score_methods(
            test,
            {"local": forecast},
            bakery="b",
            cohort="established",
            scale=np.ones(len(test)),
        )


def test_a_bakery_without_test_rows_is_listed() -> None:
    """No test rows: a row with zero days and NaN scores, not an error and not a zero error."""
    nothing = features().between(start=pd.Timestamp("2030-01-01"))
    scale = naive_scale(features(), nothing)
    (score,) = score_methods(
        nothing, {"federated": np.zeros(0)}, bakery="b", cohort="newcomer", scale=scale
    )
    assert (score.n_days, score.n_rows, score.units) == (0, 0, 0.0)
    assert math.isnan(score.wape)
    assert math.isnan(score.mase)


@pytest.mark.parametrize(("closed", "season"), [((), 7), ((6,), 6), ((0, 6), 5)])
def test_the_scale_compares_the_same_weekdays(closed: tuple[int, ...], season: int) -> None:
    """The scale is the mean step from one weekday to the same a week before, per product."""
    everything = features(closed)
    train, test = everything.between(end=SPLIT), everything.between(start=SPLIT)
    assert trading_week(train.keys["date"]) == season
    found = naive_scale(train, test)
    for product in ("bread", "rolls"):
        own = (train.keys["product"] == product).to_numpy()
        units = dict(zip(train.keys["date"][own], train.units[own], strict=True))
        week = pd.Timedelta(days=7)
        steps = [abs(units[day] - units[day - week]) for day in units if day - week in units]
        wanted = found[(test.keys["product"] == product).to_numpy()]
        assert wanted == pytest.approx(np.full(wanted.size, np.mean(steps)))


def test_a_single_sunday_makes_no_week_of_seven_days() -> None:
    """A weekday traded once counts as closed for the season of the naive forecast."""
    dates = pd.date_range("2024-01-01", "2024-02-29", freq="D")
    dates = dates[(dates.day_of_week != 6) | (dates == pd.Timestamp("2024-02-04"))]
    assert trading_week(dates.to_series()) == 6


def test_a_product_that_training_never_saw_has_no_scale() -> None:
    """MASE leaves a product out that is new in the test window."""
    everything = features()
    bread = everything.rows((everything.keys["product"] == "bread").to_numpy())
    found = naive_scale(bread.between(end=SPLIT), everything.between(start=SPLIT))
    new = (everything.between(start=SPLIT).keys["product"] == "rolls").to_numpy()
    assert np.isnan(found[new]).all()
    assert (found[~new] > 0).all()
