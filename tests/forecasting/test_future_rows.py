"""What is known of future days: which are open, what features see, what a forecast makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glean.errors import SettingsError
from glean.features.definition import FeatureDefinition
from glean.features.matrix import build_features
from glean.forecasting.context import ForecastContext, read_context, with_client_model
from glean.forecasting.forecasters import TreeForecaster, WeightForecaster
from glean.forecasting.future_rows import (
    day_to_plan,
    days_ahead,
    with_future_rows,
)
from glean.forecasting.inputs import inputs_of, unknown_inputs
from glean.forecasting.recursive_forecast import ForecastRow, forecast_days
from glean.languages.language import ENGLISH
from glean.learning.boosting import train_pooled
from glean.learning.forest import Forest
from glean.learning.weight_models import initial_weights
from glean.sales.known_future import NOTHING_KNOWN, KnownFuture
from glean.sales.products import Product
from glean.sales.table import SalesTable
from glean.settings import BoostingSettings
from tests.tables import random_table

DEFINITION = FeatureDefinition(horizon_days=1, season=False, covariates=("market",))


def eventful_table(*, seed: int = 4, bakeries: int = 1, days: int = 200) -> SalesTable:
    """Sales that a promotion raises by half and the eve of a holiday doubles."""
    rows = random_table(seed=seed, bakeries=bakeries, days=days).rows
    rng = np.random.default_rng(seed)
    promotion = (rng.random(len(rows)) < 0.15).astype(np.float64)
    day = (rows["date"] - rows["date"].min()).dt.days
    effect = (1 + 0.5 * promotion) * np.where(day % 20 == 16, 2.0, 1.0)
    return SalesTable(
        rows.assign(
            units=np.round(rows["units"] * effect),
            price=2.0,
            promotion=promotion,
            holiday=(day % 20 == 17).astype(np.float64),
            temperature_c=np.round(rng.normal(12, 5, len(rows)), 1),
            market=(day % 3).astype(np.float64),
        )
    )


TABLE = eventful_table()
LAST = TABLE.rows["date"].max()
TOMORROW, SUNDAY = LAST + pd.Timedelta(days=1), LAST + pd.Timedelta(days=3)


def eventful_model() -> Forest:
    """A model that has learned from six bakeries what promotions and eves do."""
    rows = build_features(eventful_table(seed=1, bakeries=6), DEFINITION)
    boosting = BoostingSettings(max_depth=4, min_child_weight=5.0)
    return train_pooled(rows, boosting=boosting, learning_rate=0.3, steps=20, seed=1)


MODEL = eventful_model()


def known(*rows: dict[str, object]) -> KnownFuture:
    """Know of days; a row without a product is about all of them."""
    return KnownFuture(pd.DataFrame([{"product": "", "open": np.nan} | row for row in rows]))


@pytest.fixture(scope="module")
def bakery(tmp_path_factory: pytest.TempPathFactory) -> ForecastContext:
    path = tmp_path_factory.mktemp("model") / "model.ubj"
    path.write_bytes(MODEL.to_bytes())
    return with_client_model(read_context(path, TABLE, bakery="bakery 0", products={}))


def forecast_by_day(
    bakery: ForecastContext, known_future: KnownFuture = NOTHING_KNOWN, *, days: int = 6
) -> dict[tuple[pd.Timestamp, str], ForecastRow]:
    table = with_future_rows(
        bakery.table,
        today=bakery.today,
        until=bakery.today + pd.Timedelta(days=days),
        known_future=known_future,
    )
    rows = forecast_days(
        bakery.client_model, table, bakery.residuals, region="", unsold=bakery.unsold
    )
    return {(row.date, row.product): row for row in rows}


def future_rows(known_future: KnownFuture, *, days: int = 6) -> pd.DataFrame:
    rows = with_future_rows(
        TABLE, today=LAST, until=LAST + pd.Timedelta(days=days), known_future=known_future
    ).rows
    return rows[rows["units"].isna()].set_index(["date", "product"])


def test_a_known_day_has_the_features_that_it_will_have() -> None:
    """Of a day cut off and known as it was, every column is as if it had been sold."""
    cut = TABLE.rows["date"] < LAST
    day = TABLE.rows[~cut].drop(columns=["bakery", "units"]).assign(open=np.nan)
    before = SalesTable(TABLE.rows[cut].reset_index(drop=True))
    today = before.rows["date"].max()
    table = with_future_rows(before, today=today, until=LAST, known_future=KnownFuture(day))
    made = build_features(table, DEFINITION).between(LAST)
    sold = build_features(TABLE, DEFINITION).between(LAST)
    np.testing.assert_array_equal(made.x, sold.x)


def test_known_future_change_nothing_that_was_sold() -> None:
    """Neither rows nor features of the past."""
    everything = known({"date": TOMORROW, "promotion": 1.0, "price": 9.0, "temperature_c": 40.0})
    table = with_future_rows(TABLE, today=LAST, until=TOMORROW, known_future=everything)
    past = table.rows[table.rows["units"].notna()].reset_index(drop=True)
    pd.testing.assert_frame_equal(past, TABLE.rows)
    np.testing.assert_array_equal(
        build_features(table, DEFINITION).between(end=TOMORROW).x,
        build_features(TABLE, DEFINITION).x,
    )


def test_closed_days_go_and_forced_ones_come() -> None:
    """For all products or for one; a product's own word beats that of the day."""
    rows = future_rows(
        known(
            {"date": TOMORROW, "open": 0.0},
            {"date": TOMORROW, "product": "product 1", "open": 1.0},
            {"date": SUNDAY, "product": "product 0", "open": 1.0},
        )
    )
    assert list(rows.loc[TOMORROW].index) == ["product 1"]
    assert list(rows.loc[SUNDAY].index) == ["product 0"]
    assert len(rows) == 2 * 5 - 1 + 1


def test_what_is_not_known_is_taken_for_granted_or_stays_missing() -> None:
    """The last price, no promotion; no weather and no covariate."""
    rows = future_rows(
        known(
            {"date": TOMORROW, "temperature_c": 31.0, "market": 1.0},
            {"date": TOMORROW, "product": "product 1", "promotion": 1.0, "price": 1.5},
        )
    )
    one, other = (rows.loc[(TOMORROW, name)] for name in ("product 0", "product 1"))
    assert (one["promotion"], one["price"], one["temperature_c"], one["market"]) == (0, 2, 31, 1)
    assert (other["promotion"], other["price"], other["temperature_c"]) == (1, 1.5, 31)
    later = rows[rows.index.get_level_values("date") > TOMORROW]
    assert later[["temperature_c", "market", "holiday"]].isna().all(axis=None)
    assert (later["promotion"] == 0).all()
    assert (later["price"] == 2).all()


def test_the_day_to_plan_is_the_next_that_is_open() -> None:
    """A staff holiday is passed over; a day known as closed isn't planned."""
    away = [{"date": day, "open": 0.0} for day in days_ahead(LAST)]
    assert day_to_plan(
        TABLE, today=LAST, asked=None, known_future=known(*away[:10])
    ) == LAST + pd.Timedelta(days=11)
    assert day_to_plan(TABLE, today=LAST, asked=SUNDAY, known_future=NOTHING_KNOWN) == SUNDAY
    with pytest.raises(SettingsError, match=f"found {TOMORROW.date()} told as closed"):
        day_to_plan(TABLE, today=LAST, asked=TOMORROW, known_future=known(*away))
    with pytest.raises(SettingsError, match="no day of the 28 ahead on which the bakery is open"):
        day_to_plan(TABLE, today=LAST, asked=None, known_future=known(*away))


def test_products_have_rows_on_the_days_on_which_they_are_on_offer() -> None:
    """One that has gone has none, a weekend's those of weekends; told as open they have more."""
    weekend = TABLE.rows["date"].dt.day_of_week == 5
    rows = TABLE.rows[(TABLE.rows["product"] == "product 0") | weekend]
    since = TABLE.rows["date"] > LAST - pd.Timedelta(days=28)
    gone = TABLE.rows[(TABLE.rows["product"] == "product 0") | ~since]
    everybody = {"date": TOMORROW, "open": 1.0}
    own = {"date": TOMORROW, "product": "product 1", "open": 1.0}
    for sold, usual in ((rows, {5}), (gone, set())):
        for told, wanted in (
            ((), usual),
            ((everybody,), usual),
            ((own,), usual | {TOMORROW.day_of_week}),
        ):
            known_future = known(*told) if told else NOTHING_KNOWN
            table = with_future_rows(
                SalesTable(sold.reset_index(drop=True)),
                today=LAST,
                until=LAST + pd.Timedelta(days=7),
                known_future=known_future,
            ).rows
            ahead = table[table["units"].isna() & (table["product"] == "product 1")]
            assert set(ahead["date"].dt.day_of_week) == wanted
            assert (table["units"].isna() & (table["product"] == "product 0")).sum() == 6


@pytest.mark.parametrize("since", [30, 400])
def test_without_a_product_sold_of_late_there_is_nothing_to_plan(since: int) -> None:
    """Rows of zero for weeks, or ever since: a sentence, and not a column that isn't there."""
    idle = TABLE.rows["date"] > LAST - pd.Timedelta(days=since)
    table = SalesTable(TABLE.rows.assign(units=TABLE.rows["units"].where(~idle, 0.0)))
    with pytest.raises(SettingsError, match="found no product that was sold of late"):
        with_future_rows(table, today=LAST, until=TOMORROW)


def test_a_standing_order_is_what_it_was(bakery: ForecastContext) -> None:
    """Without a range and a reason; the other product is forecast."""
    table = with_future_rows(bakery.table, today=LAST, until=TOMORROW).rows
    order = (table["product"] == "product 0") & table["units"].notna()
    ordered = SalesTable(table.assign(units=table["units"].where(~order, 10.0)))
    rows = forecast_days(bakery.client_model, ordered, bakery.residuals, region="")
    one, other = rows
    assert (one.units, one.between(0.025, 0.975), one.drivers) == (10.0, (10.0, 10.0), ())
    low, high = other.between(0.1, 0.9)
    assert low < other.units < high


def test_a_promotion_moves_its_product_on_its_day_and_is_a_reason(bakery: ForecastContext) -> None:
    """By about what it did in the past; the same day's other product stays as it was."""
    plain = forecast_by_day(bakery)
    moved = forecast_by_day(
        bakery, known({"date": TOMORROW, "product": "product 0", "promotion": 1.0})
    )
    one, other = (TOMORROW, "product 0"), (TOMORROW, "product 1")
    assert moved[one].units / plain[one].units == pytest.approx(1.5, rel=0.15)
    assert moved[one].drivers[0].in_words(ENGLISH) in ("promotion: more", "promotion: much more")
    assert moved[other].units == plain[other].units
    assert all(driver.group != "promotion" for driver in moved[other].drivers)


def test_a_later_promotion_leaves_earlier_days_alone(bakery: ForecastContext) -> None:
    """Nothing of a day but a holiday is looked ahead to."""
    later = known({"date": SUNDAY + pd.Timedelta(days=1), "promotion": 1.0, "temperature_c": 30.0})
    plain, moved = forecast_by_day(bakery), forecast_by_day(bakery, later)
    for key in plain:
        if key[0] < SUNDAY:
            assert moved[key].units == plain[key].units


def test_the_eve_of_a_known_holiday_knows_it(bakery: ForecastContext) -> None:
    """As eves in the past did, whose holidays stood in the sales."""
    eve, holiday = (TOMORROW, "product 0"), TOMORROW + pd.Timedelta(days=1)
    plain, moved = (
        forecast_by_day(bakery),
        forecast_by_day(bakery, known({"date": holiday, "holiday": 1.0})),
    )
    assert moved[eve].units > 1.5 * plain[eve].units
    assert "day before a holiday" in [driver.words for driver in moved[eve].drivers]


def test_an_unsold_product_goes_by_promotions_but_not_by_weather(
    tmp_path: Path,
) -> None:
    """What its page says moves it is in the number; without sales no weather is usual."""
    path = tmp_path / "model.ubj"
    path.write_bytes(MODEL.to_bytes())
    young = with_client_model(
        read_context(
            path,
            SalesTable(TABLE.rows.iloc[:0]),
            bakery="Anna",
            products={"bun": Product("bun", expected_units=60.0)},
            today=LAST,
        )
    )
    key = (TOMORROW, "bun")
    plain = forecast_by_day(young)[key]
    assert (
        forecast_by_day(young, known({"date": TOMORROW, "temperature_c": 35.0}))[key].units
        == plain.units
    )
    moved = forecast_by_day(young, known({"date": TOMORROW, "promotion": 1.0}))[key]
    assert moved.units / plain.units == pytest.approx(1.5, rel=0.2)
    assert "promotion" in [driver.group for driver in moved.drivers]
    assert {driver.group for driver in moved.drivers} <= {"weekday", "promotion", "holiday"}


def test_without_sales_all_28_days_can_be_asked_for() -> None:
    """Although made-up days end before today, on the last open weekday."""
    friday = LAST - pd.Timedelta(days=LAST.day_of_week + 3)
    made = TABLE.rows[TABLE.rows["date"] <= friday]
    until = days_ahead(LAST)[-1]
    rows = with_future_rows(SalesTable(made), today=LAST, until=until).rows
    assert rows["date"].max() > until - pd.Timedelta(days=2)


def test_what_the_model_goes_by_and_is_not_known_is_named() -> None:
    """Only what its trees split on; what is given, or known by the region, isn't named."""
    assert inputs_of(DEFINITION)[-1] == "market"
    model = TreeForecaster(MODEL)
    used = unknown_inputs([model], TABLE.rows, NOTHING_KNOWN, region="")
    assert {"promotion", "holiday"} <= set(used)
    assert not {"price", "school_holiday", "rain_mm"} & set(used)
    assert "holiday" not in unknown_inputs([model], TABLE.rows, NOTHING_KNOWN, region="DE")
    promoted = known({"date": TOMORROW, "promotion": 0.0, "holiday": np.nan})
    left = unknown_inputs([model], TABLE.rows, promoted, region="")
    assert set(used) - set(left) == {"promotion"}
    assert (
        unknown_inputs([TreeForecaster(MODEL.first(0))], TABLE.rows, NOTHING_KNOWN, region="") == ()
    )
    weights = WeightForecaster(initial_weights("poisson", DEFINITION, seed=1))
    given = ("promotion", "price", "holiday", "temperature_c", "market")
    assert unknown_inputs([weights], TABLE.rows, NOTHING_KNOWN, region="") == given
