"""Quantiles from past errors: as sure as they say, in any unit, and quick to notice a change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.forecasting.calibration import UNKNOWN, calibrate
from glean.forecasting.residuals import Residuals
from glean.forecasting.rolling_origin import near_holiday, rolling_quantiles
from glean.metrics import Floats
from tests.matrices import random_matrix

LEVELS = np.array([0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975])
NONE = np.array([], dtype=bool)
NAMELESS = np.array([], dtype=object)
NOBODY = Residuals(np.array([], dtype=np.int64), np.array([]), np.array([]), NONE, NONE, NAMELESS)


def errors(days: int = 300, *, seed: int = 0, spread: float = 0.2, first: int = 0) -> Residuals:
    """Negative binomial days of three products of different size."""
    rng = np.random.default_rng(seed)
    forecast = np.tile([8.0, 40.0, 400.0], days)
    units = rng.poisson(forecast * rng.gamma(1 / spread**2, spread**2, len(forecast)))
    number = np.repeat(np.arange(first, first + days), 3)
    never = np.zeros(len(number), dtype=bool)
    bread = np.full(len(number), "bread", dtype=object)
    return Residuals(number, forecast, units.astype(float), never, never, bread)


def coverage(past: Residuals, new: Residuals, low: float, high: float) -> Floats:
    """Share of each product's new days inside."""
    ends = calibrate(past, today=int(past.days.max())).quantiles(
        new.forecast, new.days, np.array([low, high])
    )
    inside = (new.units >= ends[:, 0]) & (new.units <= ends[:, 1])
    return np.array([inside[new.forecast == f].mean() for f in np.unique(new.forecast)])


def test_intervals_hold_as_often_as_they_say_for_products_of_any_size() -> None:
    """80% and 95% on new days, for eight units a day and for four hundred: the scale fits both."""
    new = errors(2000, seed=100, first=300)
    for low, high, within in ((0.1, 0.9, 0.04), (0.025, 0.975, 0.025)):
        shares = [coverage(errors(seed=seed), new, low, high) for seed in range(8)]
        assert np.mean(shares, axis=0) == pytest.approx(high - low, abs=within)


@given(st.floats(0.01, 100))
def test_a_calibration_scales_with_the_table_s_unit(unit: float) -> None:
    """In dozens or in pieces: the same forecast, said otherwise."""
    past = errors(60)
    scaled = replace(past, forecast=past.forecast * unit, units=past.units * unit)
    made = [calibrate(table, today=59) for table in (past, scaled)]
    asked, days = np.array([10.0, 100.0]), np.array([60, 61])
    plain = made[0].quantiles(asked, days, LEVELS)
    assert made[1].quantiles(asked * unit, days, LEVELS) == pytest.approx(plain * unit, rel=1e-6)


@given(st.integers(0, 50), st.integers(1, 12))
def test_quantiles_rise_with_their_level(seed: int, days: int) -> None:
    """And none is below zero, however few days there were."""
    found = calibrate(errors(days, seed=seed), today=days).quantiles(
        np.array([0.0, 3.0, 300.0]), np.array([1, 2, 3]), LEVELS
    )
    assert (np.diff(found, axis=1) >= 0).all()
    assert (found >= 0).all()


def test_the_order_of_past_errors_is_no_matter() -> None:
    """Product by product, as tables have them, or day by day."""
    past = around_holidays(errors(120), every=9, times=2.0)
    shuffled = past.rows(np.random.default_rng(3).permutation(len(past.days)))
    one, two = (calibrate(each, today=119) for each in (past, shuffled))
    assert two.scores == pytest.approx(one.scores)
    assert two.levels == pytest.approx(one.levels)
    assert two.weekdays == pytest.approx(one.weekdays)
    assert two.holiday == pytest.approx(one.holiday)


def test_recent_errors_weigh_more() -> None:
    """Demand that became much wilder is noticed within weeks."""
    calm, wild = errors(300, spread=0.1), errors(40, spread=0.5, first=300)
    forecast, day = np.array([400.0]), np.array([340])
    before = calibrate(calm, today=299).scale(forecast, day)
    after = calibrate(calm.plus(wild), today=339).scale(forecast, day)
    assert after > 1.6 * before


def test_errors_of_fitted_days_are_widened_by_what_new_days_show() -> None:
    """A model that was fitted to its days looks surer there than it is."""
    fitted = replace(errors(200, spread=0.1), fitted=np.ones(600, dtype=bool))
    new = errors(60, seed=2, spread=0.2, first=200)
    share = coverage(fitted.plus(new), errors(1000, seed=5, spread=0.2, first=260), 0.1, 0.9)
    assert (share > 0.72).all()


def test_a_wild_weekday_gets_wider_quantiles() -> None:
    """Saturdays that scatter twice as much are wider than Tuesdays."""
    past = errors(350)
    saturday = (past.days + 3) % 7 == 5
    units = np.where(saturday, past.forecast + 3 * (past.units - past.forecast), past.units)
    made = calibrate(replace(past, units=np.maximum(units, 0)), today=349)
    assert made.weekdays[5] > 1.4 * made.weekdays[1]


def by_product(days: int, *, first: int = 0, seed: int = 0) -> Residuals:
    """A standing order of 40, steady rolls and wild cakes, 40 a day of each."""
    rng = np.random.default_rng(seed)
    spread = np.tile([0.0, 3.0, 12.0], days)
    number = np.repeat(np.arange(first, first + days), 3)
    never, forecast = np.zeros(len(number), dtype=bool), np.full(len(number), 40.0)
    names = np.tile(["order", "roll", "cake"], days).astype(object)
    return Residuals(number, forecast, forecast + rng.normal(0, spread), never, never, names)


def test_each_product_has_its_width() -> None:
    """80% of the days of a steady and of a wild one; a standing order is what it is."""
    new, levels = by_product(2000, first=300, seed=100), np.array([0.1, 0.9])
    shares = []
    for seed in range(8):
        made = calibrate(by_product(300, seed=seed), today=299)
        ends = made.quantiles(new.forecast, new.days, levels, products=new.products)
        inside = (new.units >= ends[:, 0]) & (new.units <= ends[:, 1])
        shares.append([inside[new.products == name].mean() for name in ("roll", "cake")])
        assert ends[new.products == "order"] == pytest.approx(40, abs=0.9)
    assert np.mean(shares, axis=0) == pytest.approx(0.8, abs=0.05)


def test_a_product_with_few_days_leans_on_the_others() -> None:
    """A wild one of a week is a little wider than usual, and one never seen is usual."""
    old = by_product(100)
    young = by_product(100).where((old.products == "cake") & (old.days >= 93))
    young = replace(young, products=np.full(7, "bun", dtype=object))
    made = calibrate(old.plus(young), today=99)
    asked = np.array(["cake", "bun", "new"], dtype=object)
    cake, bun, new = made.widths(asked).tolist()
    assert new == 1.0
    assert 1 < bun < 0.75 * cake


def around_holidays(past: Residuals, *, every: int, times: float) -> Residuals:
    """The same days, of which one in so many is around a holiday and off by so many times."""
    near = past.days % every == 0
    units = past.forecast + np.where(near, times, 1.0) * (past.units - past.forecast)
    return replace(past, units=np.maximum(units, 0), near_holiday=near)


def test_days_around_holidays_get_wider_quantiles_and_leave_the_others_theirs() -> None:
    """Three times off on one day in ten: there wider, elsewhere as without holidays."""
    past = errors(360)
    asked, day, levels = np.array([400.0]), np.array([360]), np.array([0.1, 0.9])
    made = calibrate(around_holidays(past, every=10, times=3.0), today=359)
    usual, wide = (
        float(np.diff(made.quantiles(asked, day, levels, np.array([near])))[0, 0])
        for near in (False, True)
    )
    plain = float(np.diff(calibrate(past, today=359).quantiles(asked, day, levels))[0, 0])
    assert wide > 1.8 * usual
    assert usual == pytest.approx(plain, rel=0.15)


def test_few_or_calm_holidays_change_little() -> None:
    """Two wild days are no rule, and no holiday makes a bakery surer than on other days."""
    rare = calibrate(around_holidays(errors(360), every=180, times=3.0), today=359)
    often = calibrate(around_holidays(errors(360), every=10, times=3.0), today=359)
    assert 1.0 <= rare.holiday < 1 + 0.5 * (often.holiday - 1)
    assert calibrate(around_holidays(errors(360), every=10, times=0.2), today=359).holiday == 1.0


def test_a_day_is_near_a_holiday_up_to_two_days_before_and_after() -> None:
    """New Year's Eve and the day after tomorrow's holiday as well as the day itself."""
    rows = random_matrix(5)
    x = rows.x.copy()
    for name, values in (
        ("holiday", [0, 1, 0, 0, 0]),
        ("days_to_holiday", [2, 7, 7, 7, 3]),
        ("days_since_holiday", [7, 7, 1, 3, np.nan]),
    ):
        x[:, rows.definition.names.index(name)] = values
    assert near_holiday(replace(rows, x=x)).tolist() == [True, True, True, False, False]


def test_nothing_known_is_a_normal_distribution() -> None:
    """Without an error to learn from, a third of the forecast either way."""
    assert calibrate(NOBODY, today=0) is UNKNOWN
    ends = UNKNOWN.quantiles(np.array([100.0]), np.array([0]), np.array([0.1, 0.9]))
    assert ends[0] == pytest.approx([61.6, 138.4], abs=0.1)


def test_below_is_the_quantiles_inverse() -> None:
    """The chance of at most a quantile is its level."""
    past = errors()
    # Spread out: several scores at one place have one level between them.
    jitter = np.random.default_rng(1).normal(0, 0.5, len(past.units))
    made = calibrate(replace(past, units=np.maximum(past.units + jitter, 0)), today=299)
    forecast, days = np.full(len(LEVELS), 400.0), np.full(len(LEVELS), 301)
    quantiles = made.quantiles(forecast[:1], days[:1], LEVELS)[0]
    assert made.cdf(quantiles, forecast, days) == pytest.approx(LEVELS, abs=1e-6)


def test_a_day_s_quantiles_see_no_later_error() -> None:
    """Changing what was sold from a day on changes nothing before the next one."""
    rows = random_matrix(40)
    forecast = np.full(40, 50.0)
    changed = replace(rows, units=np.where(np.arange(40) >= 20, 9999.0, rows.units))
    found = [
        rolling_quantiles(NOBODY, r, forecast, levels=LEVELS, seed=1).units for r in (rows, changed)
    ]
    assert np.array_equal(found[0][:21], found[1][:21])
    assert not np.array_equal(found[0][21:], found[1][21:])


def test_the_pit_of_counts_is_even() -> None:
    """Randomised, so that small whole numbers don't pile up in a few tenths."""
    past = errors(365, spread=0.3)
    small = past.forecast == 8.0
    rng = np.random.default_rng(5)
    units = rng.poisson(8.0 * rng.gamma(1 / 0.09, 0.09, 1200)).astype(float)
    rows = replace(random_matrix(1200), units=units)
    known = replace(past.rows(small), days=past.days[small] + 19_300)
    pit = rolling_quantiles(known, rows, np.full(1200, 8.0), levels=LEVELS, seed=3).pit
    shares = np.histogram(pit, 10, (0, 1))[0] / len(pit)
    assert shares == pytest.approx(0.1, abs=0.035)
