from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from glean.errors import ModelError, SettingsError
from glean.features.definition import WEEKDAY_NAMES, FeatureDefinition, check_covariates
from glean.features.matrix import build_features
from glean.sales.table import SalesTable
from tests.tables import random_table


def _definition(*, horizon: int = 1, season: bool = True) -> FeatureDefinition:
    return FeatureDefinition(horizon_days=horizon, season=season)


def _slow_history(rows: pd.DataFrame, row: int, horizon: int) -> dict[str, float]:
    """The plain-loop definition of the history columns of one row of one product's table."""
    today = rows["date"].iloc[row]
    origin = today - pd.Timedelta(days=horizon)
    past = [
        (date, units)
        for date, units in zip(rows["date"], rows["units"], strict=True)
        if date <= origin
    ]
    if len(past) < 7:
        return {}
    units = [u for _, u in past]
    same = [u for date, u in past if date.day_of_week == today.day_of_week]
    level = sum(units[-28:]) / len(units[-28:])
    found = {"mean_28": level, "days_closed_before": float((origin - past[-1][0]).days)}
    for k in (1, 2, 3, 7):
        found[f"lag_{k}"] = units[-k] / level if len(units) >= k else np.nan
    for k in (3, 7, 14):
        found[f"mean_{k}"] = float(np.mean(units[-k:])) / level
    for k in (1, 2):
        found[f"weekday_lag_{k}"] = same[-k] / level if len(same) >= k else np.nan
    for k in (4, 8, 26):
        found[f"weekday_mean_{k}"] = float(np.mean(same[-k:])) / level if same else np.nan
    found["deviation_28"] = float(np.std(units[-28:])) / level
    return found


@pytest.mark.parametrize("horizon", [1, 2, 9])
def test_history_columns_equal_a_plain_loop(horizon: int) -> None:
    """Lags, means and the mean of 28 days are what their names say, at every horizon."""
    table = random_table(products=1, days=90, seed=3)
    matrix = build_features(table, _definition(horizon=horizon))
    by_date = {date: i for i, date in enumerate(matrix.keys["date"])}
    for row, date in enumerate(table.rows["date"]):
        wanted = _slow_history(table.rows, row, horizon)
        assert bool(wanted) == (date in by_date)
        for name, value in wanted.items():
            i = by_date[date]
            got = matrix.mean_28[i] if name == "mean_28" else matrix.column(name)[i]
            assert got == pytest.approx(value, rel=1e-5, abs=1e-6, nan_ok=True), (name, date)


def _exponential(values: list[float], share: float) -> float:
    """Mean of the last 26 values, NaN where a day doesn't count, the newest last."""
    pairs = [(v, (1 - share) ** age) for age, v in enumerate(values[:-27:-1]) if not np.isnan(v)]
    return sum(v * w for v, w in pairs) / sum(w for _, w in pairs) if pairs else np.nan


@pytest.mark.parametrize("horizon", [1, 9])
def test_the_usual_weekday_equals_a_plain_loop(horizon: int) -> None:
    """Exponential means, profile and level, of days that are neither holidays nor before one."""
    rows = random_table(products=1, days=250, seed=4, closed_weekday=2).rows
    rows["holiday"] = (rows["date"].dt.day_of_year % 50 == 0).astype(float)
    matrix = build_features(SalesTable(rows), _definition(horizon=horizon))
    means = dict(zip(matrix.keys["date"], matrix.mean_28, strict=True))
    off = set(rows["date"][rows["holiday"] > 0])
    off |= {day - pd.Timedelta(days=1) for day in off}
    past = [
        (date, np.nan if date in off else float(units), means.get(date, np.nan))
        for date, units in zip(rows["date"], rows["units"], strict=True)
    ]
    for i, today in enumerate(matrix.keys["date"]):
        known = [each for each in past if each[0] <= today - pd.Timedelta(days=horizon)]
        by_weekday = [[each for each in known if each[0].day_of_week == day] for day in range(7)]
        same, mean = by_weekday[today.day_of_week], matrix.mean_28[i]
        usual = _exponential([units for _, units, _ in same], 0.08) / mean
        ratios = [[u / m for _, u, m in day if not np.isnan(m)] for day in by_weekday]
        slow = [_exponential(each, 0.06) for each in ratios]
        fast = _exponential(ratios[today.day_of_week], 0.15)
        wanted = dict(zip((f"profile_{name}" for name in WEEKDAY_NAMES), slow, strict=True))
        wanted |= {"weekday_ewm": usual, "weekday_ratio_6": slow[today.day_of_week]}
        wanted |= {"weekday_ratio_15": fast, "share_of_bakery": 0.0}
        for name, value in wanted.items():
            got = matrix.column(name)[i]
            assert got == pytest.approx(value, rel=1e-5, abs=1e-6, nan_ok=True), (name, today)
        seen = sum(not np.isnan(units) for _, units, _ in same[-26:])
        factor = np.clip(np.sqrt(usual * fast), 0.1, 10.0) ** (seen / (seen + 2))
        factor = 1.0 if np.isnan(factor) else factor
        assert matrix.level[i] == pytest.approx(mean * factor), today
        assert matrix.y[i] == pytest.approx(matrix.units[i] / matrix.level[i], rel=1e-5)


def test_a_products_share_of_the_bakery() -> None:
    """The logarithm of its mean of 28 days over that of all products of the bakery."""
    matrix = build_features(random_table(products=3, days=60), _definition())
    shares = matrix.keys.assign(share=np.exp(matrix.column("share_of_bakery")))
    by_day = shares.groupby("date")["share"].agg(["sum", "size"])
    assert by_day.loc[by_day["size"] == 3, "sum"].to_numpy() == pytest.approx(1.0, abs=1e-5)


@settings(max_examples=20)
@given(
    seed=st.integers(0, 1000),
    cut=st.integers(10, 110),
    horizon=st.integers(1, 8),
    factor=st.floats(0, 100),
)
def test_nothing_after_the_origin_matters(seed: int, cut: int, horizon: int, factor: float) -> None:
    """Rows of day t don't depend on sales, nor on earlier days' prices and weather, after t - h."""
    rows = random_table(seed=seed, days=120).rows
    rows["price"] = 2.0 + (np.arange(len(rows)) % 5) / 10
    rows["temperature_c"] = 10.0 + np.arange(len(rows)) % 7
    first = rows["date"].min()
    last_known = first + pd.Timedelta(days=cut)
    forecast_day = last_known + pd.Timedelta(days=horizon)
    changed = rows.copy()
    later = changed["date"] > last_known
    changed.loc[later, "units"] = changed.loc[later, "units"] * factor + 1
    for table in (changed, changed[~later | (rows["date"] <= forecast_day)]):
        _assert_same_rows(rows, table, upto=forecast_day, horizon=horizon)
    between = later & (rows["date"] < forecast_day)
    for name in ("price", "temperature_c"):
        changed.loc[between, name] = changed.loc[between, name] * factor + 1
    # Days in between have prices and weather of their own: only the forecast day stays the same.
    before = _rows_of_day(rows, forecast_day, horizon=horizon)
    after = _rows_of_day(changed, forecast_day, horizon=horizon)
    np.testing.assert_array_equal(before, after)


def _rows_of_day(rows: pd.DataFrame, day: pd.Timestamp, *, horizon: int) -> NDArray[np.float32]:
    matrix = build_features(SalesTable(rows), _definition(horizon=horizon))
    return matrix.x[(matrix.keys["date"] == day).to_numpy()]


def _assert_same_rows(
    rows: pd.DataFrame, changed: pd.DataFrame, *, upto: pd.Timestamp, horizon: int
) -> None:
    before = build_features(SalesTable(rows), _definition(horizon=horizon))
    after = build_features(SalesTable(changed.reset_index(drop=True)), _definition(horizon=horizon))
    mine = (before.keys["date"] <= upto).to_numpy()
    theirs = (after.keys["date"] <= upto).to_numpy()
    np.testing.assert_array_equal(before.x[mine], after.x[theirs])
    np.testing.assert_array_equal(before.level[mine], after.level[theirs])


def test_last_years_lag_is_the_same_weekday_52_weeks_ago() -> None:
    """`year_lag` is what was sold 364 days before by the mean of then, or not known."""
    rows = random_table(products=1, days=450, seed=5).rows
    matrix = build_features(SalesTable(rows), _definition())
    dates = matrix.keys["date"].tolist()
    relative = dict(zip(dates, matrix.units / matrix.mean_28, strict=True))
    wanted = [relative.get(date - pd.Timedelta(days=364), np.nan) for date in dates]
    assert np.isfinite(wanted).sum() > 50
    assert np.isnan(wanted).sum() > 300
    np.testing.assert_allclose(matrix.column("year_lag"), wanted, rtol=1e-5)


def test_covariates_arrive_as_they_were_given() -> None:
    """A covariate's column has the table's values of the same day and product."""
    rows = random_table(days=60).rows
    rows["wind"] = np.arange(len(rows)) / 8
    definition = FeatureDefinition(horizon_days=1, season=False, covariates=("wind",))
    matrix = build_features(SalesTable(rows), definition)
    keyed = rows.set_index(["date", "product"])["wind"]
    wanted = [keyed[key] for key in zip(matrix.keys["date"], matrix.keys["product"], strict=True)]
    assert len(wanted) > 80
    assert matrix.column("wind").tolist() == wanted


def test_a_future_row_gets_the_features_it_would_have_had() -> None:
    """A day whose units aren't known yet (NaN) is described as if it had been sold."""
    rows = random_table(days=100).rows
    last = rows["date"].max()
    open_rows = rows.copy()
    open_rows.loc[open_rows["date"] == last, "units"] = np.nan
    known = build_features(SalesTable(rows), _definition())
    future = build_features(SalesTable(open_rows), _definition())
    np.testing.assert_array_equal(known.x, future.x)
    assert np.isnan(future.y[(future.keys["date"] == last).to_numpy()]).all()


@settings(max_examples=20)
@given(factor=st.sampled_from([0.25, 2.0, 1024.0]), seed=st.integers(0, 100))
def test_features_have_no_unit(factor: float, seed: int) -> None:
    """A bakery that sells everything `factor` times has the same features and targets."""
    rows = random_table(seed=seed).rows
    larger = rows.assign(units=rows["units"] * factor)
    small = build_features(SalesTable(rows), _definition())
    large = build_features(SalesTable(larger), _definition())
    np.testing.assert_allclose(small.x, large.x, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(small.y, large.y, rtol=1e-6)
    np.testing.assert_allclose(small.level * factor, large.level)


def test_a_product_that_starts_in_mid_year_has_no_rows_before_its_level() -> None:
    """The first seven trading days of a product have no level and so no row."""
    rows = random_table(days=100).rows
    start = pd.Timestamp("2023-03-01")
    late = (rows["product"] == "product 1") & (rows["date"] < start)
    matrix = build_features(SalesTable(rows[~late].reset_index(drop=True)), _definition())
    mine = matrix.keys[matrix.keys["product"] == "product 1"]
    assert mine["date"].min() == pd.Timestamp("2023-03-09")


def test_holidays_are_known_although_the_bakery_is_closed_on_them() -> None:
    """The day before a closed public holiday is one day from it, by the region's calendar."""
    rows = random_table(days=150, closed_weekday=None).rows
    labour_day = pd.Timestamp("2023-05-01")
    table = SalesTable(rows[rows["date"] != labour_day].reset_index(drop=True))
    matrix = build_features(table, _definition(), region="DE-SH")
    days = matrix.keys["date"]
    before = (days == labour_day - pd.Timedelta(days=1)).to_numpy()
    after = (days == labour_day + pd.Timedelta(days=1)).to_numpy()
    assert set(matrix.column("days_to_holiday")[before]) == {1.0}
    assert set(matrix.column("days_since_holiday")[after]) == {1.0}


def test_season_columns_only_where_agreed() -> None:
    """Without a full year in the federation no column tells the position in the year."""
    assert not any(name.startswith("year") for name in _definition(season=False).names)
    table = random_table()
    with_season = build_features(table, _definition(season=True))
    without = build_features(table, _definition(season=False))
    assert with_season.x.shape[1] == without.x.shape[1] + 4


def test_definition_survives_its_json_and_refuses_another_version() -> None:
    """A model made with other columns is refused, not misread."""
    definition = FeatureDefinition(horizon_days=2, season=True, covariates=("wind",))
    assert FeatureDefinition.from_json(definition.to_json()) == definition
    with pytest.raises(ModelError, match="other features"):
        FeatureDefinition.from_json(definition.to_json().replace("lag_1", "lag_one"))
    endless = definition.to_json().replace('"horizon_days": 2', '"horizon_days": Infinity')
    for damaged in ("{}", "[" * 200_000, endless):
        with pytest.raises(ModelError, match="can't be read"):
            FeatureDefinition.from_json(damaged)


def test_forty_bakeries_in_five_seconds() -> None:
    """40 bakeries x 4 products x 1,000 days take less than five seconds of a processor."""
    table = random_table(bakeries=40, products=4, days=1000, closed_weekday=None)
    start = time.process_time()
    matrix = build_features(table, _definition())
    assert time.process_time() - start < 5
    assert len(matrix) == 40 * 4 * (1000 - 7)


@pytest.mark.parametrize("name", ["units", "date", "temperature_c", "weekday", "sold_out_at"])
def test_the_days_own_sales_are_no_covariate(name: str) -> None:
    """What the format or the features hold already can't be listed: units would be a leak."""
    with pytest.raises(SettingsError, match=f"covariates: found {name}"):
        check_covariates((name,))
    with pytest.raises(SettingsError, match="found wind"):
        check_covariates(("wind", "wind"))
    check_covariates(("wind", "price"))
