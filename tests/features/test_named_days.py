"""Days with a name, and what comes back of them from an earlier year."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from glean.features.definition import SPECIAL_RATIO, FeatureDefinition
from glean.features.matrix import FeatureMatrix, build_features
from glean.features.named_days import (
    BEFORE,
    HOLIDAY,
    LEAST_RATIO,
    MOST_RATIO,
    NO_NAME,
    POOLED_UNITS,
    YEAR_DAYS,
    NamedDays,
    named_days,
    special_ratio,
)
from glean.sales.table import SalesTable

DEFINITION = FeatureDefinition(horizon_days=1, season=True)
DAYS = pd.date_range("2021-06-01", "2024-01-10", freq="D")


@pytest.mark.parametrize(
    ("day", "name", "kind"),
    [
        ("2018-03-30", "Good Friday", HOLIDAY),
        ("2018-03-29", "before Good Friday", BEFORE),
        ("2018-12-24", "24 December", BEFORE),
        ("2018-12-31", "31 December", HOLIDAY),
        ("2018-03-31", "", NO_NAME),
        ("2018-04-01", "before Easter Monday", BEFORE),
    ],
)
def test_days_have_the_names_of_their_region(day: str, name: str, kind: object) -> None:
    found = named_days(pd.DatetimeIndex([day, "2018-06-06"]), "DE-SH")
    assert found.names.tolist() == [name, ""]
    assert (found.comes_back[0], found.model_share[0]) == tuple(vars(kind).values())


def test_without_a_region_the_last_days_of_the_year_have_names() -> None:
    found = named_days(DAYS, "")
    assert {*found.names} == {"", "24 December", "31 December"}


def by_hand(named: NamedDays, days: np.ndarray, units: np.ndarray, usual: float) -> list[float]:
    """Of one product whose usual is one number; from the words."""
    found = []
    for day, name, power in zip(days, named.names, named.comes_back, strict=True):
        before = [
            u / usual
            for d, n, u in zip(days, named.names, units, strict=True)
            if n == name != "" and np.isfinite(u) and YEAR_DAYS[0] <= day - d <= YEAR_DAYS[1]
        ]
        last = np.clip(before[-1], LEAST_RATIO, MOST_RATIO) if before else np.nan
        found.append(float(last**power))
    return found


def test_the_last_such_day_a_year_or_two_ago_counts() -> None:
    """Against a search day by day; another product's days are no matter."""
    rng = np.random.default_rng(1)
    named = named_days(DAYS, "DE-SH")
    days = DAYS.to_numpy().astype("datetime64[D]").astype(np.int64)
    units = rng.choice([5.0, 90.0, 300.0, 3000.0, np.nan], len(DAYS))
    both = NamedDays(*(np.tile(each, 2) for each in vars(named).values()))
    usual = np.full(2 * len(days), 60e6)  # so many that no product leans on the other one
    found = special_ratio(
        both,
        np.repeat(np.arange(2), len(days)),
        np.tile(days, 2),
        1e6 * np.concatenate([units, 7 * units]),
        mean=usual,
        level=usual,
    )
    wanted = by_hand(named, days, units, 60.0)
    assert np.isfinite(wanted).sum() > 15
    np.testing.assert_allclose(found[: len(days)], wanted, rtol=1e-5)


def matrix(last_day: float, *, closed: tuple[str, ...] = ()) -> FeatureMatrix:
    """Rolls that sell more on weekends, and so many on every 31 December."""
    rng = np.random.default_rng(3)
    units = rng.poisson(np.where(DAYS.day_of_week >= 5, 160.0, 80.0)).astype(float)
    units[(DAYS.month == 12) & (DAYS.day == 31)] = last_day
    rows = pd.DataFrame({"date": DAYS, "bakery": "b", "product": "roll", "units": units})
    rows = rows[~rows["date"].isin(pd.DatetimeIndex(closed))].reset_index(drop=True)
    return build_features(SalesTable(rows), DEFINITION, region="DE-SH")


def at(features: FeatureMatrix, day: str) -> FeatureMatrix:
    first = pd.Timestamp(day)
    found = features.between(first, first + pd.Timedelta(days=1))
    assert len(found) == 1
    return found


@pytest.mark.parametrize("last_day", [20.0, 250.0])
def test_a_holiday_is_as_far_from_the_mean_as_a_year_ago_whatever_its_weekday(
    last_day: float,
) -> None:
    """And whatever a model says; its row looks like one of an ordinary day."""
    features = matrix(last_day)
    day, before = at(features, "2023-12-31"), at(features, "2022-12-31")
    assert day.level == pytest.approx(last_day / before.mean_28 * day.mean_28)
    assert day.units_of(np.array([5.0])) == pytest.approx(day.level)
    assert (day.column("holiday")[0], day.column("days_to_holiday")[0]) == (0, 7)
    assert np.isfinite(day.special_ratio[0])


def test_a_day_that_was_closed_a_year_ago_goes_by_the_year_before_that() -> None:
    """With none at all it is left to the calendar and to the model."""
    day = at(matrix(250.0, closed=("2022-12-31",)), "2023-12-31")
    assert day.special_ratio[0] > 1.2
    none = at(matrix(250.0, closed=("2021-12-31", "2022-12-31")), "2023-12-31")
    assert np.isnan(none.special_ratio[0])
    assert none.column("days_to_holiday")[0] == 1
    assert none.units_of(np.array([2.0])) == pytest.approx(2 * none.level)


def test_nothing_is_seen_of_the_day_itself_or_of_later_ones() -> None:
    rows = pd.DataFrame({"date": DAYS, "bakery": "b", "product": "roll"})
    units = np.random.default_rng(0).poisson(100.0, len(DAYS)).astype(float)
    changed = np.where(pd.Timestamp("2022-12-31") <= DAYS, units + 30, units)
    one, other = (
        build_features(SalesTable(rows.assign(units=u)), DEFINITION, region="DE-SH").between(
            end=pd.Timestamp("2023-01-01")
        )
        for u in (units, changed)
    )
    np.testing.assert_array_equal(one.column(SPECIAL_RATIO), other.column(SPECIAL_RATIO))
    np.testing.assert_array_equal(one.level, other.level)


def test_without_a_year_of_sales_there_is_no_such_column() -> None:
    rows = pd.DataFrame({"date": DAYS, "bakery": "b", "product": "roll", "units": 50.0})
    definition = FeatureDefinition(horizon_days=1, season=False)
    found = build_features(SalesTable(rows), definition, region="DE-SH")
    assert np.isnan(found.special_ratio).all()
    assert (found.model_share == 1).all()


def test_a_product_of_few_units_leans_on_what_all_products_sold() -> None:
    """Halfway at as many units a day as `POOLED_UNITS`."""
    days = np.array([0, 0, 365, 365])
    named = NamedDays(
        *(
            np.array(v, dtype=t)
            for v, t in ((["x"] * 4, object), ([0.75] * 4, float), ([0.5] * 4, float))
        )
    )
    usual = np.array([POOLED_UNITS, 1e9, POOLED_UNITS, 1e9])
    units = np.array([9 * POOLED_UNITS, 1e9, np.nan, np.nan])
    found = special_ratio(named, np.array([0, 1, 0, 1]), days, units, mean=usual, level=usual)
    np.testing.assert_allclose(found[2:], [3.0**0.75, 1.0], rtol=1e-5)
    assert np.isnan(found[:2]).all()
