"""The metrics, against definitions written as plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean import metrics
from glean.metrics import ErrorSums

UNITS = st.one_of(st.just(0.0), st.floats(1e-3, 1e4))
PAIRS = st.lists(st.tuples(UNITS, UNITS), min_size=1, max_size=30)


def slow_mae(actual: list[float], forecast: list[float]) -> float:
    total = 0.0
    for a, f in zip(actual, forecast, strict=True):
        total += abs(f - a)
    return total / len(actual)


def slow_rmse(actual: list[float], forecast: list[float]) -> float:
    total = 0.0
    for a, f in zip(actual, forecast, strict=True):
        total += (f - a) ** 2
    return math.sqrt(total / len(actual))


def slow_mape(actual: list[float], forecast: list[float]) -> float:
    shares = []
    for a, f in zip(actual, forecast, strict=True):
        if a > 0:
            shares.append(abs(f - a) / a)
    return sum(shares) / len(shares) if shares else math.nan


def slow_wape(actual: list[float], forecast: list[float]) -> float:
    errors, units = 0.0, 0.0
    for a, f in zip(actual, forecast, strict=True):
        errors += abs(f - a)
        units += a
    return errors / units if units > 0 else math.nan


def slow_bias(actual: list[float], forecast: list[float]) -> float:
    surplus, units = 0.0, 0.0
    for a, f in zip(actual, forecast, strict=True):
        surplus += f - a
        units += a
    return surplus / units if units > 0 else math.nan


def slow_mase(actual: list[float], forecast: list[float], scale: list[float]) -> float:
    scaled = []
    for a, f, s in zip(actual, forecast, scale, strict=True):
        if s > 0:
            scaled.append(abs(f - a) / s)
    return sum(scaled) / len(scaled) if scaled else math.nan


def slow_seasonal_naive_scale(series: list[float], season: int) -> float:
    steps = [abs(series[i] - series[i - season]) for i in range(season, len(series))]
    return sum(steps) / len(steps) if steps else math.nan


def slow_pinball(actual: list[float], forecast: list[float], quantile: float) -> float:
    total = 0.0
    for a, f in zip(actual, forecast, strict=True):
        total += quantile * (a - f) if a >= f else (1 - quantile) * (f - a)
    return total / len(actual)


def close(found: float, wanted: float) -> bool:
    if math.isnan(wanted):
        return math.isnan(found)
    return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9)


@given(PAIRS)
def test_metrics_agree_with_plain_loops(pairs: list[tuple[float, float]]) -> None:
    """Each vectorised metric equals its definition written out row by row."""
    actual, forecast = [a for a, _ in pairs], [f for _, f in pairs]
    assert close(metrics.mae(actual, forecast), slow_mae(actual, forecast))
    assert close(metrics.rmse(actual, forecast), slow_rmse(actual, forecast))
    assert close(metrics.mape(actual, forecast), slow_mape(actual, forecast))
    assert close(metrics.wape(actual, forecast), slow_wape(actual, forecast))
    assert close(metrics.bias(actual, forecast), slow_bias(actual, forecast))


@given(st.lists(st.tuples(UNITS, UNITS, UNITS), min_size=1, max_size=30))
def test_mase_agrees_with_a_plain_loop(rows: list[tuple[float, float, float]]) -> None:
    """MASE leaves out the rows whose scale is zero, and only these."""
    actual, forecast, scale = (list(column) for column in zip(*rows, strict=True))
    assert close(metrics.mase(actual, forecast, scale), slow_mase(actual, forecast, scale))


@given(st.lists(UNITS, max_size=30), st.integers(1, 8))
def test_seasonal_naive_scale_agrees_with_a_plain_loop(series: list[float], season: int) -> None:
    """The scale is the mean step over one season, and NaN for a series too short for one."""
    wanted = slow_seasonal_naive_scale(series, season)
    assert close(metrics.seasonal_naive_scale(series, season), wanted)


@given(PAIRS, st.floats(0.01, 0.99))
def test_pinball_agrees_with_a_plain_loop(
    pairs: list[tuple[float, float]], quantile: float
) -> None:
    """Pinball loss weighs shortfall by the quantile and surplus by the rest."""
    actual, forecast = [a for a, _ in pairs], [f for _, f in pairs]
    wanted = slow_pinball(actual, forecast, quantile)
    assert close(metrics.pinball(actual, forecast, quantile), wanted)


@given(PAIRS, PAIRS)
def test_sums_of_two_bakeries_add_up(
    first: list[tuple[float, float]], second: list[tuple[float, float]]
) -> None:
    """The sums of two bakeries, added, give the metrics of all their rows at once."""
    added = ErrorSums.of(*zip(*first, strict=True)) + ErrorSums.of(*zip(*second, strict=True))
    actual, forecast = ([row[i] for row in (*first, *second)] for i in (0, 1))
    assert close(added.wape, slow_wape(actual, forecast))
    assert close(added.mae, slow_mae(actual, forecast))
    assert close(added.rmse, slow_rmse(actual, forecast))
    assert close(added.mape, slow_mape(actual, forecast))
    assert close(added.bias, slow_bias(actual, forecast))


@pytest.mark.parametrize("metric", [metrics.mae, metrics.rmse, metrics.mape, metrics.wape])
def test_no_rows_give_nan(metric: object) -> None:
    """Without rows there is no error, which NaN says and zero would hide."""
    assert callable(metric)
    assert math.isnan(metric([], []))


def test_a_known_example() -> None:
    """Forty and sixty rolls, forecast as fifty and fifty, by hand."""
    sums = ErrorSums.of([40.0, 60.0], [50.0, 50.0])
    assert sums.wape == pytest.approx(20 / 100)
    assert sums.mape == pytest.approx((10 / 40 + 10 / 60) / 2)
    assert sums.rmse == pytest.approx(10.0)
    assert sums.bias == pytest.approx(0.0)
    assert metrics.mase([40.0, 60.0], [50.0, 50.0], 5.0) == pytest.approx(2.0)
    assert np.isnan(metrics.mase([40.0], [50.0], 0.0))
