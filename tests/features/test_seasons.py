"""Pauses: levels and means are of days on offer, and reach across no gap that makes them stale."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix, build_features
from glean.features.seasons import PAUSE_DAYS, STAND_IN_DAYS, one_season, seasons_of
from glean.sales.table import SalesTable

DEFINITION = FeatureDefinition(horizon_days=1, season=False)


def table(*parts: tuple[str, str, float], product: str = "stollen") -> SalesTable:
    """Days from one to another, each with so many units; NaN: days to come."""
    rows = [
        pd.DataFrame({"date": pd.date_range(first, last), "bakery": "b", "units": units})
        for first, last, units in parts
    ]
    whole = pd.concat(rows, ignore_index=True).assign(product=product)
    return SalesTable(whole[["date", "bakery", "product", "units"]])


def features_of(sales: SalesTable) -> FeatureMatrix:
    return build_features(sales, DEFINITION)


def mean_28(sales: SalesTable, day: str) -> float:
    """The level without weekdays of the only product on a day; NaN where it has no row."""
    found = features_of(sales)
    there = (found.keys["date"] == pd.Timestamp(day)).to_numpy()
    return float(found.mean_28[there][0]) if there.any() else float("nan")


SEASON = ("2022-11-10", "2022-11-30", 20.0), ("2022-12-01", "2022-12-24", 80.0)


def test_a_season_begins_as_the_last_one_did_and_soon_goes_by_itself() -> None:
    """Not with what was sold before Christmas; after two weeks nothing of last year is left."""
    sales = table(*SEASON, ("2023-11-10", "2023-12-24", 40.0))
    assert mean_28(sales, "2023-11-10") == 20
    assert mean_28(sales, "2023-11-17") == pytest.approx((14 * 20 + 7 * 40) / 21)
    assert mean_28(sales, "2023-11-24") == 40


@pytest.mark.parametrize("zeros", [False, True])
def test_rows_of_zero_in_a_pause_are_no_days_on_offer(zeros: bool) -> None:
    """The same levels with them; they themselves teach nothing."""
    between = [("2022-12-25", "2023-11-09", 0.0)] if zeros else []
    found = features_of(table(*SEASON, *between, ("2023-11-10", "2023-12-24", 40.0)))
    dates, last = found.keys["date"], pd.Timestamp("2022-12-24")
    paused = (dates > last + pd.Timedelta(days=PAUSE_DAYS)) & (dates < pd.Timestamp("2023-11-10"))
    assert not paused.any()
    first = (dates == pd.Timestamp("2023-11-10")).to_numpy()
    assert found.mean_28[first].tolist() == [20.0]


def test_a_day_to_come_after_a_pause_is_forecast_as_the_season_begins() -> None:
    """And where no season began a year before, from the last days before the pause."""
    to_come = ("2023-11-12", "2023-11-12", np.nan)
    assert mean_28(table(*SEASON, to_come), "2023-11-12") == 20
    once = table(("2023-01-01", "2023-02-28", 10.0), ("2023-03-01", "2023-04-01", 30.0), to_come)
    assert mean_28(once, "2023-11-12") == 30


def test_a_bakery_that_was_shut_over_winter_opens_with_the_level_of_spring() -> None:
    """Of the year before, when it was open all winter; not with that of autumn."""
    parts = ("2022-01-01", "2022-08-31", 50.0), ("2022-09-01", "2022-10-31", 90.0)
    sales = table(*parts, ("2023-04-01", "2023-04-01", np.nan))
    assert mean_28(sales, "2023-04-01") == 50


@pytest.mark.parametrize(("closed", "counted"), [(0, 0), (20, 20), (40, 28), (46, 0)])
def test_the_day_after_a_pause_follows_no_closed_days(closed: int, counted: int) -> None:
    """Those of a week or a month off count, up to 28."""
    day = f"{pd.Timestamp('2023-04-01') + pd.Timedelta(days=closed + 1):%Y-%m-%d}"
    found = features_of(table(("2023-01-01", "2023-04-01", 30.0), (day, day, np.nan)))
    assert found.column("days_closed_before")[-1] == counted


def test_a_season_that_moves_with_easter_begins_as_the_last_one_did() -> None:
    last = ("2023-03-26", "2023-04-08", 30.0), ("2023-04-09", "2023-04-10", 5.0)
    assert mean_28(table(*last, ("2024-03-17", "2024-03-17", np.nan)), "2024-03-17") == 30


def test_after_a_pause_without_a_year_the_days_before_it_soon_give_way() -> None:
    sales = table(("2023-01-01", "2023-04-01", 30.0), ("2023-09-01", "2023-10-01", 60.0))
    assert mean_28(sales, "2023-09-01") == 30
    assert mean_28(sales, "2023-09-08") == pytest.approx((14 * 30 + 7 * 60) / 21)
    assert mean_28(sales, "2023-09-15") == 60


def test_without_a_pause_each_product_is_one_season() -> None:
    """However long the gaps are below the length of one."""
    gaps = np.random.default_rng(1).integers(1, PAUSE_DAYS + 1, (2, 60))
    days, series = (18_000 + gaps.cumsum(axis=1)).ravel(), np.repeat([0, 1], 60)
    found, plain = seasons_of(series, days, np.full(120, 5.0), days - 1), one_season(series)
    assert np.array_equal(found.of_rows, plain.of_rows)
    assert np.array_equal(np.sort(found.sales), plain.sales)
    assert found.count == 2
    assert not found.paused.any()


def test_no_row_sees_a_pause_before_its_origin_does() -> None:
    """Changing all that is sold from a day on changes no earlier row."""
    sales = table(*SEASON, ("2022-12-25", "2023-11-09", 0.0), ("2023-11-10", "2023-12-24", 40.0))
    whole = features_of(sales)
    for day in ("2022-12-20", "2023-01-20", "2023-11-10", "2023-11-20"):
        later = sales.rows["date"] >= pd.Timestamp(day)
        changed = SalesTable(sales.rows.assign(units=sales.rows["units"].where(~later, 7.0)))
        made = features_of(changed)
        before = (made.keys["date"] < pd.Timestamp(day)).to_numpy()
        assert np.array_equal(made.x[before], whole.x[: before.sum()], equal_nan=True)


def test_no_more_than_some_days_stand_in() -> None:
    """Whatever lies before, also where last season was shorter than they are."""
    parts = [(f"{year}-04-01", f"{year}-04-05", float(year)) for year in (2020, 2021, 2022, 2023)]
    rows = table(*parts).rows
    days = rows["date"].to_numpy().astype("datetime64[D]").astype(np.int64)
    units = rows["units"].to_numpy(dtype=float)
    found = seasons_of(np.zeros(len(days), dtype=np.int64), days, units, days - 1)
    lengths = np.bincount(found.of_sales[np.isin(found.of_sales, found.of_rows)])
    assert lengths[np.unique(found.of_rows)].tolist() == [5, 5 + 5, 10 + 5, STAND_IN_DAYS + 5]
