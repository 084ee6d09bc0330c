"""Ranges follow what they missed: wider after surprises, narrower in calm, never by later days."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from glean.forecasting import adaptive_conformal
from glean.forecasting.adaptive_conformal import ADAPTIVE_INTERVALS, _Adaptation, adapted_intervals
from glean.forecasting.calibration import UNKNOWN, Calibration, calibrate
from glean.forecasting.residuals import Residuals

FIRST = 18_000
LEVELS = np.array([0.025, 0.1, 0.5, 0.9, 0.975])


def errors(spread: list[float], *, products: int = 4, seed: int = 0) -> Residuals:
    """Normal errors of products that sell 100 a day; a standard deviation for each day."""
    rng = np.random.default_rng(seed)
    days = np.repeat(FIRST + np.arange(len(spread)), products)
    forecast = np.full(len(days), 100.0)
    units = forecast * (1 + np.repeat(spread, products) * rng.normal(size=len(days)))
    never = np.zeros(len(days), dtype=bool)
    names = np.tile([f"product {k}" for k in range(products)], len(spread)).astype(object)
    return Residuals(days, forecast, np.maximum(units, 0.1), never, never, names)


def width(past: Residuals, day: int, *, plain: bool = False) -> float:
    """Of the 80% interval of a day, units."""
    found = (
        calibrate(past.until(day - 1), today=day - 1)
        if plain
        else adapted_intervals(past, [day], horizon_days=1)[day]
    )
    low, high = found.quantiles(np.array([100.0]), np.array([day]), LEVELS)[0, [1, 3]]
    return float(high - low)


def test_surprises_widen_and_calm_narrows() -> None:
    """Three weeks of another spread: ranges have moved further than the fading errors alone."""
    steady, wild, calm = ([0.1] * 90 + [spread] * 21 for spread in (0.1, 0.3, 0.03))
    today = FIRST + 111
    for spread, way in ((wild, 1), (calm, -1)):
        moved = width(errors(spread), today) / width(errors(spread), today, plain=True)
        assert way * np.log(moved) > 0.1
    past = errors(steady)
    assert width(past, today) == pytest.approx(width(past, today, plain=True), rel=0.1)


def test_a_product_that_surprises_gets_wider_than_the_others() -> None:
    """By more than its fading errors alone say, and the others don't."""
    past, today = errors([0.1] * 111), FIRST + 111
    wild = (past.products == "product 0") & (past.days >= FIRST + 90)
    past = replace(past, units=np.where(wild, 100 + 4 * (past.units - 100), past.units))
    both = (
        adapted_intervals(past, [today], horizon_days=1)[today],
        calibrate(past.until(today - 1), today=today - 1),
    )
    names = np.array(["product 0", "product 1"], dtype=object)
    (wide, usual), (plain_wide, plain_usual) = (made.widths(names) for made in both)
    assert wide / plain_wide > 1.15
    assert 0.7 < usual / plain_usual < 1.0


@pytest.mark.parametrize("seed", range(4))
def test_coverage_stays_near_nominal_where_the_spread_changes(seed: int) -> None:
    """Half a year whose spread jumps every four weeks; each interval by its own misses."""
    spread = [0.1] * 60 + ([0.25] * 28 + [0.08] * 28) * 4
    past = errors(spread, seed=seed)
    days = list(range(FIRST + 60, FIRST + len(spread)))
    plain = {day: calibrate(past.until(day - 1), today=day - 1) for day in days}
    off = []
    for calibrations in (adapted_intervals(past, days, horizon_days=1), plain):
        inside: list[bool] = []
        for day, made in calibrations.items():
            mine = past.rows(past.days == day)
            q = made.quantiles(mine.forecast, mine.days, LEVELS)
            inside += ((q[:, 1] <= mine.units) & (mine.units <= q[:, 3])).tolist()
        parts = np.array_split(np.array(inside, dtype=float), 8)
        off.append(np.mean([abs(part.mean() - 0.8) for part in parts]))
    assert off[0] < off[1]


@pytest.mark.parametrize("horizon", [1, 3])
def test_a_day_is_not_seen_before_its_origin(horizon: int) -> None:
    """Whatever is sold after the origin, the calibration is the same."""
    past, day = errors([0.1] * 100), FIRST + 80
    later = past.days > day - horizon
    other = replace(past, units=np.where(later, 1.0, past.units))
    days = range(day - 5, day + 1)
    one, two = (adapted_intervals(each, days, horizon_days=horizon)[day] for each in (past, other))
    assert np.array_equal(one.scores, two.scores)
    assert np.array_equal(one.levels, two.levels)
    earlier = replace(past, units=np.where(past.days > day - horizon - 1, 1.0, past.units))
    three = adapted_intervals(earlier, days, horizon_days=horizon)[day]
    assert not np.array_equal(one.scores, three.scores)


def test_dozens_are_tracked_like_pieces() -> None:
    """A twelfth of everything gives a twelfth of the ranges."""
    past, day = errors([0.1] * 60 + [0.3] * 20), FIRST + 80
    dozens = replace(past, forecast=past.forecast / 12, units=past.units / 12)
    pieces, twelfth = (
        adapted_intervals(each, [day], horizon_days=1)[day] for each in (past, dozens)
    )
    where = np.array([day])
    assert twelfth.quantiles(np.array([100 / 12]), where, LEVELS) * 12 == pytest.approx(
        pieces.quantiles(np.array([100.0]), where, LEVELS)
    )


def test_of_a_count_that_part_is_missed_which_lies_outside() -> None:
    """Three pieces where two were expected: the interval ends within their step."""
    never = np.array([False])
    roll = np.array(["roll"], dtype=object)
    past = Residuals(np.array([FIRST]), np.array([2.0]), np.array([3.0]), never, never, roll)
    below, upto = (
        float(UNKNOWN.cdf(np.array([units]), past.forecast, past.days)[0]) for units in (2.5, 3.5)
    )
    assert below < 0.9 < upto
    missed = (upto - 0.9) / (upto - below)
    step = ADAPTIVE_INTERVALS[0].step_size
    counted, measured = (
        adaptive_conformal._adjustments(UNKNOWN, past, unit).intervals[0] for unit in (1.0, 0.0)
    )
    assert counted == pytest.approx(step * (missed - 0.2))
    assert measured == pytest.approx(step * (1.0 - 0.2))


@pytest.mark.parametrize("unit", [1.0, 1 / 12])
def test_sales_are_scored_in_their_counting_unit(
    unit: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pieces or dozens, found from the days before the first one that is asked for."""
    past = errors([0.3] * 60)
    counts = replace(past, units=np.round(past.units) * unit, forecast=past.forecast * unit)
    found = []

    def adjustments(_calibration: Calibration, _past: Residuals, unit: float) -> _Adaptation:
        found.append(unit)
        return _Adaptation(np.zeros(len(ADAPTIVE_INTERVALS)), {})

    monkeypatch.setattr(adaptive_conformal, "_adjustments", adjustments)
    adapted_intervals(counts, range(FIRST + 50, FIRST + 60), horizon_days=1)
    assert found == [pytest.approx(unit)] * 60


def test_quantiles_rise_with_their_level() -> None:
    """Also where one interval got wider and the other narrower."""
    past = errors([0.1] * 60 + [0.3] * 20)
    for day, found in adapted_intervals(
        past, range(FIRST + 40, FIRST + 80), horizon_days=1
    ).items():
        many = found.quantiles(np.array([100.0]), np.array([day]), np.linspace(0.01, 0.99, 99))
        assert (np.diff(many[0]) >= 0).all()
    assert adapted_intervals(past, [], horizon_days=1) == {}
    assert [watched.ends for watched in ADAPTIVE_INTERVALS] == [
        pytest.approx((0.1, 0.9)),
        pytest.approx((0.025, 0.975)),
    ]
