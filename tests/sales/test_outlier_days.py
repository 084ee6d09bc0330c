"""Outlier days, against a rule written out day by day; and what models see of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.features.definition import FeatureDefinition
from glean.features.matrix import build_features
from glean.sales.outlier_days import (
    COMPARED_DAYS,
    FEWEST_DAYS,
    FEWEST_WEEKDAYS,
    HIGH,
    LAST_DAYS,
    SAME_WEEKDAYS,
    TIMES_HIGH,
    TIMES_USUAL,
    usual_of_outliers,
)
from glean.sales.table import SalesTable
from tests.tables import random_table

DEFINITION = FeatureDefinition(horizon_days=1, season=True)


def series(units: list[float], *, product: str = "roll") -> pd.DataFrame:
    days = pd.date_range("2024-01-01", periods=len(units), freq="D")
    return pd.DataFrame({"date": days, "bakery": "b", "product": product, "units": units})


def day_by_day(rows: pd.DataFrame) -> list[float]:
    """The same from the words of the rule."""
    units, weekdays = rows["units"].tolist(), rows["date"].dt.day_of_week.tolist()
    found, times = [], []
    for day, (sold, weekday) in enumerate(zip(units, weekdays, strict=True)):
        same = [u for u, w in zip(units[:day], weekdays[:day], strict=True) if w == weekday]
        usual = [np.median(same[-SAME_WEEKDAYS:])] if len(same) >= FEWEST_WEEKDAYS else []
        usual += [np.median(units[day - LAST_DAYS : day])] if day >= LAST_DAYS else []
        most = max(usual, default=0.0)
        times.append(sold / most if most > 0 else np.nan)
        before = [t for t in times[:day][-COMPARED_DAYS:] if not np.isnan(t)]
        odd = len(before) >= FEWEST_DAYS and times[day] > max(
            TIMES_USUAL, TIMES_HIGH * np.quantile(before, HIGH)
        )
        found.append(most if odd else np.nan)
    return found


@given(st.integers(0, 2**31), st.integers(0, 90))
def test_outliers_are_those_of_the_rule(seed: int, place: int) -> None:
    """In a table of two products; the other one changes nothing."""
    rng = np.random.default_rng(seed)
    units = rng.poisson(rng.choice([1.0, 5.0, 60.0]), 91).astype(float)
    units[place] *= rng.choice([1, 4, 10])
    rows = series(units.tolist())
    other = series(rng.poisson(9.0, 40).astype(float).tolist(), product="loaf")
    found = usual_of_outliers(pd.concat([other, rows], ignore_index=True))
    np.testing.assert_allclose(found[40:], day_by_day(rows), rtol=1e-12)


@pytest.mark.parametrize(
    ("units", "odd"),
    [
        ([300.0] * 60 + [3000.0] + [300.0] * 20, {60}),
        ([300.0] * 60 + [3000.0] * 20, {60, 61, 62}),
        ([10.0, 10, 10, 10, 10, 10, 60] * 10, set()),
        ([5.0] * 20 + ([50.0] + [5.0] * 6) * 8, {20, 27}),
        ([0.0] * 60 + [30.0], set()),
        ([300.0] * 10 + [3000.0], set()),
    ],
    ids=["an order", "a new level", "a weekday", "orders that recur", "never sold", "few days"],
)
def test_an_order_is_an_outlier_and_what_recurs_is_none(units: list[float], odd: set[int]) -> None:
    """Of a new level the first three days, of orders every week the first two."""
    found = set(np.flatnonzero(~np.isnan(usual_of_outliers(series(units)))).tolist())
    assert found == odd


def test_no_feature_sees_an_outlier_day_and_it_teaches_nothing() -> None:
    """All other rows are as if that product had no row on that day; its own units stay."""
    rows = random_table(days=120).rows
    level = rows.groupby("product")["units"].transform("median")
    odd = (rows["date"] == rows["date"].iloc[100]) & (rows["product"] == "product 0")
    with_order = rows.assign(units=rows["units"].where(~odd, 12 * level))
    found = build_features(SalesTable(with_order), DEFINITION)
    without = rows[~odd].reset_index(drop=True)
    wanted = build_features(SalesTable(without), DEFINITION)
    taught = found.without_outliers()
    assert len(found) - len(taught) == odd.sum() == 1
    assert taught.keys.equals(wanted.keys)
    own = [
        name
        for name in DEFINITION.names
        if not name.startswith(("bakery_", "days_closed", "share_"))
    ]
    for name in own:
        np.testing.assert_array_equal(taught.column(name), wanted.column(name), err_msg=name)
    assert found.units.max() == 12 * level[odd].iloc[0]


def test_a_peak_at_a_holiday_is_taught_and_moves_no_level() -> None:
    """It comes back next year; until then no day leans on it."""
    rows = random_table(days=120).rows
    odd = (rows["date"] == rows["date"].iloc[100]) & (rows["product"] == "product 0")
    level = rows.groupby("product")["units"].transform("median")
    peak = rows.assign(units=rows["units"].where(~odd, 12 * level), holiday=odd.astype(float))
    day = peak.loc[odd, "date"].iloc[0]
    peak["holiday"] = (peak["date"] == day).astype(float)
    found = build_features(SalesTable(peak), DEFINITION)
    plain = build_features(SalesTable(peak.assign(units=rows["units"])), DEFINITION)
    assert len(found.without_outliers()) == len(found)
    later = (found.keys["date"] > day).to_numpy()
    assert np.abs(found.level / plain.level - 1)[later].max() < 0.05
