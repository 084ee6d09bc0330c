"""A newcomer's prior: sums over bakeries, the error distribution, the whole way."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.aggregation.error_histogram import (
    COUNTS_LENGTH,
    EDGES,
    ENOUGH_ROWS,
    MOMENTS_LENGTH,
    ErrorDistribution,
    counts,
    moments,
    variance_of,
)
from glean.errors import ModelError
from glean.forecasting.calibration import UNKNOWN, calibrate
from glean.forecasting.prior import prior_calibration
from glean.forecasting.residuals import Residuals
from glean.metrics import Floats
from tests.federations import federation_of, small_settings

LEVELS = np.array([0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975])


def demand(rows: int, *, seed: int, spread: float = 0.2) -> tuple[Floats, Floats]:
    """Forecasts and negative binomial sales of a bakery with products of all sizes."""
    rng = np.random.default_rng(seed)
    forecast = rng.choice([4.0, 15.0, 60.0, 300.0], rows)
    return forecast, rng.poisson(forecast * rng.gamma(1 / spread**2, spread**2, rows)).astype(float)


def federation(bakeries: int = 8, *, unit: float = 1.0) -> ErrorDistribution:
    """What the sums over bakeries give, without a federation around them."""
    rows = [(f * unit, y * unit) for f, y in (demand(400, seed=k) for k in range(bakeries))]
    weight = 50.0 * unit
    scale = variance_of(np.sum([moments(*r, unit_weight=weight) for r in rows], axis=0))
    assert scale is not None
    counted = np.sum([counts(*r, unit_weight=weight, scale=scale) for r in rows], axis=0)
    return ErrorDistribution(scale[0] * weight, scale[1], tuple(counted.tolist()))


def test_sums_over_bakeries_tell_chance_from_share() -> None:
    """Poisson demand of a mean that varies by a fifth: a variance of f + 0.04 f²."""
    found = federation(20)
    # Errors are cut off at their 98% quantile.
    assert found.by_chance == pytest.approx(1.0, abs=0.25)
    assert found.by_share == pytest.approx(0.04, abs=0.01)


def test_a_newcomer_s_intervals_hold_before_its_first_error() -> None:
    """80% and 95% at a bakery that was in none of the sums, for small and large products."""
    forecast, units = demand(8000, seed=99)
    none, never = np.array([]), np.array([], dtype=bool)
    nameless = none.astype(object)
    nothing = Residuals(none.astype(np.int64), none, none, never, never, nameless)
    made = calibrate(nothing, today=0, prior=prior_calibration(federation()))
    ends = made.quantiles(forecast, np.zeros(len(forecast), dtype=np.int64), LEVELS)
    for low, high, nominal in ((0, -1, 0.95), (1, -2, 0.8)):
        inside = (units >= ends[:, low]) & (units <= ends[:, high])
        for size in np.unique(forecast):
            assert inside[forecast == size].mean() == pytest.approx(nominal, abs=0.06)


@given(st.floats(0.01, 100))
def test_the_prior_scales_with_the_federation_s_unit(unit: float) -> None:
    """All tables in dozens or all in pieces: the same ranges, said otherwise."""
    days = np.array([0, 1])
    plain, scaled = (prior_calibration(federation(3, unit=u)) for u in (1.0, unit))
    asked = np.array([10.0, 100.0])
    expected = plain.quantiles(asked, days, LEVELS) * unit
    assert scaled.quantiles(asked * unit, days, LEVELS) == pytest.approx(expected, rel=0.02)


def test_every_error_is_counted_once() -> None:
    """However large; and a bakery with too few rows says nothing at all."""
    forecast, units = demand(500, seed=1)
    units[:10] = 1e6
    found = counts(forecast, units, unit_weight=50.0, scale=(0.02, 0.04))
    assert found.sum() == 500
    assert found[-1] >= 10
    few = forecast[: ENOUGH_ROWS - 1], units[: ENOUGH_ROWS - 1]
    assert not counts(*few, unit_weight=50.0, scale=(0.02, 0.04)).any()
    assert not moments(*few, unit_weight=50.0).any()
    assert variance_of(np.zeros(MOMENTS_LENGTH)) is None


@given(st.lists(st.integers(0, 50), min_size=COUNTS_LENGTH, max_size=COUNTS_LENGTH).filter(any))
def test_borrowed_quantiles_rise_with_their_level(counted: list[int]) -> None:
    """Whatever was counted, gaps and single bins too; within the public limits."""
    made = prior_calibration(ErrorDistribution(1.0, 0.04, tuple(counted)))
    assert (np.diff(made.levels) > 0).all()
    assert (np.diff(made.scores) > 0).all()
    assert 0 < made.levels[0] < made.levels[-1] < 1
    assert EDGES[0] <= made.scores[0] < made.scores[-1] <= EDGES[-1]


def test_own_errors_take_over() -> None:
    """A few wild days move a newcomer's ranges a little, half a year of them nearly all the way."""
    prior = replace(UNKNOWN, by_chance=0.0, by_share=0.1**2)
    asked, day, ends = np.array([100.0]), np.array([400]), np.array([0.1, 0.9])

    def width(days: int, *, borrows: bool) -> float:
        rng = np.random.default_rng(3)
        number = np.arange(400 - days, 400)
        units = 100.0 + 40.0 * rng.standard_normal(days)
        never = np.zeros(days, dtype=bool)
        roll = np.full(days, "roll", dtype=object)
        past = Residuals(number, np.full(days, 100.0), units, never, never, roll)
        made = calibrate(past, today=399, prior=prior if borrows else None)
        low, high = made.quantiles(asked, day, ends)[0]
        return float(high - low)

    borrowed = float(np.diff(prior.quantiles(asked, day, ends))[0, 0])
    found = [width(days, borrows=True) for days in (3, 14, 180)]
    assert borrowed < found[0] < found[1] < found[2]
    assert found[2] > borrowed + 0.6 * (width(180, borrows=False) - borrowed)


@pytest.mark.parametrize(
    "change",
    [
        {"by_chance": -1.0},
        {"by_share": "1"},
        {"by_share": float("nan")},
        {"by_chance": 0.0, "by_share": 0.0},
        {"counts": [1, 2]},
        {"counts": [-1] * COUNTS_LENGTH},
        {"counts": [0] * COUNTS_LENGTH},
        {"counts": None},
    ],
)
def test_a_damaged_distribution_is_refused(change: dict[str, object]) -> None:
    """They come from another machine: nothing is taken on trust."""
    text = json.dumps(json.loads(federation(1).to_json()) | change)
    with pytest.raises(ModelError, match="distribution"):
        ErrorDistribution.from_json(text)


def test_the_error_distribution_lies_beside_the_model_of_a_run(
    tmp_path: Path, three_bakeries: str
) -> None:
    """Under masks and without, the server learns the same sums over the bakeries' windows."""
    found = []
    for masked in (True, False):
        settings = small_settings(three_bakeries, baselines=True, secure_sums=masked)
        made = federation_of(tmp_path / str(masked), settings)
        result = made.run()
        errors = made.errors(result)
        assert errors is not None
        found.append(errors)
        assert set(made.test(result, errors.to_json())) == {"bakery 0", "bakery 1", "bakery 2"}
    assert found[0] == found[1]


def test_two_bakeries_sum_up_no_distribution(tmp_path: Path, three_bakeries: str) -> None:
    """Each could tell the other's errors from the sum."""
    settings = small_settings(three_bakeries, baselines=True)
    made = federation_of(tmp_path / "two", settings, partitions=range(2))
    assert made.errors(made.run()) is None
