"""The habits, against a loop over the days that a baker would look back on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix, build_features
from glean.forecasting.baselines import baselines
from glean.sales.table import SalesTable


def small_bakery(days: int = 70, *, horizon_days: int = 1) -> FeatureMatrix:
    dates = pd.date_range("2024-01-01", periods=days, freq="D")
    dates = dates[dates.day_of_week != 6]
    rng = np.random.default_rng(7)
    parts = [
        pd.DataFrame(
            {
                "date": dates,
                "bakery": "corner",
                "product": product,
                "units": rng.poisson(size * (1 + dates.day_of_week / 5)).astype(float),
            }
        )
        for product, size in (("bread", 20), ("rolls", 150))
    ]
    table = SalesTable(pd.concat(parts, ignore_index=True))
    return build_features(table, FeatureDefinition(horizon_days=horizon_days, season=False))


def looked_back(features: FeatureMatrix, row: int, *, days: int, horizon_days: int) -> list[float]:
    """Units of the last `days` same weekdays known at the forecast origin, newest first."""
    keys = features.keys
    dates, products = list(keys["date"]), list(keys["product"])
    last_known = dates[row] - pd.Timedelta(days=horizon_days)
    found = []
    for date, product, units in zip(dates, products, features.units, strict=True):
        same = product == products[row] and date.day_of_week == dates[row].day_of_week
        if same and date <= last_known:
            found.append(float(units))
    return found[::-1][:days]


@pytest.mark.parametrize("horizon_days", [1, 9])
def test_habits_look_back_on_the_same_weekdays(horizon_days: int) -> None:
    """Both habits equal a plain look back, in units, whatever the product's size."""
    features = small_bakery(horizon_days=horizon_days)
    found = baselines(features)
    late = np.flatnonzero((features.keys["date"] >= pd.Timestamp("2024-02-26")).to_numpy())
    assert late.size > 20
    for row in late:
        four = looked_back(features, int(row), days=4, horizon_days=horizon_days)
        assert found["weekday-mean"][row] == pytest.approx(np.mean(four), rel=1e-5)
        assert found["last-week"][row] == pytest.approx(four[0], rel=1e-5)


def test_the_level_stands_in_for_a_weekday_not_yet_traded() -> None:
    """A product sold on six weekdays for two weeks, then on a first Sunday: no NaN, its level."""
    dates = pd.date_range("2024-01-01", periods=14, freq="D")
    dates = dates[(dates.day_of_week != 6) | (dates == dates[-1])]
    rows = pd.DataFrame({"date": dates, "bakery": "b", "product": "p", "units": 10.0})
    features = build_features(
        SalesTable(rows), FeatureDefinition(horizon_days=1, season=False)
    ).between(start=dates[-1])
    assert len(features) == 1
    assert {habit: values.tolist() for habit, values in baselines(features).items()} == {
        "weekday-mean": [10.0],
        "last-week": [10.0],
    }


def test_every_habit_forecasts_every_row() -> None:
    """Habits cover exactly the rows of the matrix, so that methods share all rows."""
    features = small_bakery()
    found = baselines(features)
    assert tuple(found) == ("weekday-mean", "last-week")
    for values in found.values():
        assert values.shape == (len(features),)
        assert values.dtype == np.float64
        assert np.isfinite(values).all()
