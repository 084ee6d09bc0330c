"""Future days: which they are, what they are forecast from, and that the unit doesn't matter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glean.errors import GleanError, SettingsError
from glean.features.definition import FeatureDefinition
from glean.features.matrix import build_features
from glean.forecasting.cold_start import weekday_profile, with_cold_start
from glean.forecasting.context import ForecastContext, read_context, with_client_model
from glean.forecasting.forecasters import TreeForecaster
from glean.forecasting.future_rows import with_future_rows
from glean.forecasting.model_store import StoredModel, to_files
from glean.forecasting.plan import plan_day
from glean.forecasting.recursive_forecast import (
    ForecastRow,
    _widened,
    forecast_days,
    on_usual_days,
)
from glean.learning.boosting import train_pooled
from glean.learning.forest import Forest
from glean.runs.client_home import keep_files, keep_model
from glean.sales.products import Product
from glean.sales.table import SalesTable
from glean.settings import BoostingSettings
from tests.matrices import DEFINITION
from tests.tables import random_table

TABLE = random_table(days=200, seed=4)
LAST = TABLE.rows["date"].max()
NO_SALES = SalesTable(TABLE.rows.iloc[:0])
EVERY_DAY = tuple(range(7))
FLAT = np.ones(7)


def shared_model() -> Forest:
    """A model of the federation: three other bakeries', pooled."""
    rows = build_features(random_table(bakeries=3, days=200), DEFINITION)
    boosting = BoostingSettings(max_depth=4, min_child_weight=5.0)
    return train_pooled(rows, boosting=boosting, learning_rate=0.3, steps=15, seed=1)


MODEL = shared_model()


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.ubj"
    path.write_bytes(MODEL.to_bytes())
    return path


def context_of(path: Path, table: SalesTable = TABLE, **products: Product) -> ForecastContext:
    context = read_context(
        path, table, bakery="bakery 0", products=products, today=LAST, open_weekdays=EVERY_DAY
    )
    return with_client_model(context)


def forecast_week(context: ForecastContext, days: int = 7) -> list[ForecastRow]:
    table = with_future_rows(
        context.table, today=context.today, until=context.today + pd.Timedelta(days=days)
    )
    return forecast_days(
        context.client_model, table, context.residuals, region="", unsold=context.unsold
    )


@pytest.fixture(scope="module")
def fresh(model_file: Path) -> ForecastContext:
    """The bakery of `TABLE`, opened for the first time."""
    return context_of(model_file)


@pytest.fixture(scope="module")
def future(fresh: ForecastContext) -> list[ForecastRow]:
    """Its week ahead."""
    return forecast_week(fresh)


def test_future_days_are_the_open_ones() -> None:
    """Sundays are closed, unless one is asked for; nothing that was sold changes."""
    until = LAST + pd.Timedelta(days=14)
    sunday = next(
        d for d in pd.date_range(LAST + pd.Timedelta(days=1), until) if d.day_of_week == 6
    )
    for asked in ((), (sunday,)):
        rows = with_future_rows(TABLE, today=LAST, until=until, asked=asked).rows
        new = rows[rows["units"].isna()]
        assert (sunday in set(new["date"])) == bool(asked)
        assert len(new) == 2 * (12 + len(asked))
        assert rows[rows["units"].notna()]["units"].sum() == TABLE.rows["units"].sum()


@pytest.mark.parametrize("days", [-3, 0, 29])
def test_a_day_out_of_reach_is_refused(days: int) -> None:
    """In the past, or more than four weeks ahead; both ends are named."""
    with pytest.raises(SettingsError, match=f"the sales end on {LAST.date()}"):
        with_future_rows(TABLE, today=LAST, until=LAST + pd.Timedelta(days=days))


def test_a_product_out_of_the_range_is_not_forecast() -> None:
    """One that wasn't sold for a month has gone."""
    gone = (TABLE.rows["product"] == "product 1") & (
        TABLE.rows["date"] > LAST - pd.Timedelta(days=40)
    )
    left = SalesTable(TABLE.rows[~gone])
    rows = with_future_rows(left, today=LAST, until=LAST + pd.Timedelta(days=1)).rows
    assert set(rows[rows["units"].isna()]["product"]) == {"product 0"}


def test_the_week_is_near_what_the_weekdays_usually_are(future: list[ForecastRow]) -> None:
    """Seven days ahead too, since forecasts stand in for the days between."""
    usual = TABLE.rows.groupby(["product", TABLE.rows["date"].dt.day_of_week])["units"].mean()
    assert {row.date.day_of_week for row in future} == set(range(6))
    for row in future:
        mean = usual[row.product, row.date.day_of_week]
        assert row.units == pytest.approx(mean, rel=0.3)
        low, high = row.between(0.1, 0.9)
        assert low < row.units < high
        assert all(driver.words for driver in row.drivers)


def test_a_forecast_scales_with_the_table_s_unit(
    model_file: Path, future: list[ForecastRow]
) -> None:
    """Pieces or dozens: the same days, reasons and ranges."""
    dozens = SalesTable(TABLE.rows.assign(units=TABLE.rows["units"] / 12))
    for one, other in zip(future, forecast_week(context_of(model_file, dozens)), strict=True):
        assert other.units * 12 == pytest.approx(one.units, rel=1e-3)
        assert other.quantiles * 12 == pytest.approx(one.quantiles, rel=2e-3, abs=1e-6)
        assert [d.group for d in other.drivers] == [d.group for d in one.drivers]


def test_a_bakery_without_sales_gets_a_week(model_file: Path) -> None:
    """From the stated size, by the federation's weekdays."""
    rows = forecast_week(
        context_of(model_file, NO_SALES, roll=Product("roll", expected_units=60.0))
    )
    assert len(rows) == 7
    assert np.mean([row.units for row in rows]) == pytest.approx(60, rel=0.05)
    profile = weekday_profile(TreeForecaster(MODEL))
    assert profile.mean() == pytest.approx(1.0)
    assert [r.units / 60 for r in rows] == pytest.approx(
        [profile[r.date.day_of_week] for r in rows], rel=0.05
    )


def test_without_sales_and_size_there_is_nothing_to_go_by(model_file: Path) -> None:
    """It says which column is wanted."""
    with pytest.raises(SettingsError, match="expected_units"):
        context_of(model_file, NO_SALES, roll=Product("roll"))


def test_a_new_product_takes_the_size_of_like_ones() -> None:
    """Of its category in the same bakery, where none is stated; an old one isn't made up."""
    listed = {
        "bun": Product("bun", category="sweet"),
        "product 0": Product("product 0", category="sweet"),
    }
    made = with_cold_start(
        TABLE, listed, profile=FLAT, open_weekdays=EVERY_DAY, today=LAST, bakery="bakery 0"
    ).rows
    size = TABLE.rows[TABLE.rows["product"] == "product 0"]["units"].tail(28).mean()
    assert made[made["product"] == "bun"]["units"].to_numpy() == pytest.approx(size)
    assert len(made[made["product"] == "product 0"]) == len(TABLE.rows) / 2


@pytest.mark.parametrize("days", [1, 5, 27])
def test_days_that_were_sold_take_over_from_what_was_expected(days: int) -> None:
    """Made-up days stand before the first real one, at a size that the real ones move."""
    dates = pd.date_range(end=LAST, periods=days)
    real = pd.DataFrame({"date": dates, "bakery": "b", "product": "roll", "units": 90.0})
    listed = {"roll": Product("roll", expected_units=30.0)}
    rows = with_cold_start(
        SalesTable(real), listed, profile=FLAT, open_weekdays=EVERY_DAY, today=LAST, bakery="b"
    ).rows
    assert len(rows) == 28
    made = rows[rows["date"] < dates[0]]
    assert made["units"].to_numpy() == pytest.approx((90 * days + 30 * 3) / (days + 3))


def test_a_home_forecasts_as_the_run_did(
    tmp_path: Path, fresh: ForecastContext, future: list[ForecastRow]
) -> None:
    """What was kept is read, and errors since are added; another run's leftovers are refused."""
    keep_model(tmp_path, MODEL.to_bytes(), bakery="bakery 0", run_id=1)
    keep_files(tmp_path, to_files(StoredModel(fresh.client_model, fresh.residuals, "")))
    kept = context_of(tmp_path)
    assert [r.units for r in forecast_week(kept)] == pytest.approx([r.units for r in future])
    assert kept.client_model.selection == fresh.client_model.selection
    longer = random_table(days=210, seed=4)
    assert len(context_of(tmp_path, longer).residuals.days) > len(fresh.residuals.days)
    (tmp_path / "personal.model").write_bytes(b"damaged")
    with pytest.raises(GleanError, match="another personal model"):
        context_of(tmp_path)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    """It says what was wanted."""
    with pytest.raises(GleanError, match="found no model"):
        context_of(tmp_path)


def test_a_plan_takes_its_quantities_from_prices_and_trays(future: list[ForecastRow]) -> None:
    """A dear product is baked higher up its range; trays come out whole."""
    cheap = {"product 0": Product("product 0", price=1.1, cost=1.0)}
    dear = {"product 0": Product("product 0", price=9.0, cost=1.0, batch_size=8, weight_kg=0.5)}
    planned = [plan_day(future, p, bakery="b", date=future[0].date).products for p in (cheap, dear)]
    low, high = (next(p for p in plan if p.product == "product 0") for plan in planned)
    assert low.bake < low.expected < high.bake
    assert high.bake % 8 == 0
    assert high.left_over_kg == pytest.approx(high.left_over / 2)
    assert len(plan_day(future, {}, bakery="b", date=future[0].date).week) == 6


def test_ranges_widen_with_the_days_ahead() -> None:
    """By half a per cent a day around the forecast, and never below zero."""
    tomorrow = np.array([[0.0, 8.0, 10.0, 16.0]])
    far = _widened(np.repeat(tomorrow, 2, axis=0), np.array([10.0, 10.0]), np.array([0, 6]))
    assert far[0] == pytest.approx(tomorrow[0])
    assert far[1] == pytest.approx([0.0, 7.94, 10.0, 16.18])


@pytest.mark.parametrize("season", [False, True])
def test_a_usual_day_is_no_holiday_and_no_special_day(season: bool) -> None:
    """With the columns of either kind of federation; the weather stays as it is."""
    definition = FeatureDefinition(horizon_days=1, season=season)
    days = pd.date_range("2023-06-01", "2025-01-05", freq="D")
    rows = pd.DataFrame({"date": days, "bakery": "b", "product": "roll", "units": 50.0})
    rows["promotion"], rows["temperature_c"] = 1.0, 4.0
    features = build_features(SalesTable(rows), definition, region="DE-SH")
    assert np.isfinite(features.special_ratio).any() == season
    usual = on_usual_days(features)
    assert np.isnan(usual.special_ratio).all()
    assert (usual.column("promotion") == 0).all()
    assert (usual.column("days_to_holiday") == 7).all()
    assert (usual.column("temperature_c") == 4).all()
