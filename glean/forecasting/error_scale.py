"""How large errors are: a variance that grows with the forecast, and factors on its root.

Forecasts and their errors come in; the parts of the variance, and factors by weekday, around
holidays and for days that the model was fitted to, go out. `calibrate` scales errors by them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.forecasting.residuals import Names, Residuals
from glean.metrics import Floats

Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

WEEKDAY_PRIOR_DAYS = 12.0
"""Days of a weekday that weigh as much as what all weekdays say of their common width."""

PRODUCT_PRIOR_DAYS = 14.0
"""Days of a product that weigh as much as what all products say of their common width. On the half
year before chain's test window 7 was as good, and 28 a little worse."""

NEXT_TO_NONE = 0.1
"""Mean size of errors, next to all products', below which a product hardly has any."""

HOLIDAY_PRIOR_DAYS = 12.0
"""Days around holidays that weigh as much as what the other days say of their width."""

TRIMMED = 0.98
"""Quantile of the relative errors above which one counts as that quantile in the scale."""

LARGEST_FITTED_FACTOR = 2.0
"""Most that errors of days the model was fitted to are widened by."""

_PASSES = 3
_LEAST_SHARE = 1e-6
_NO_WEIGHT = 1e-12


def first_of_day(days: Whole) -> Flags:
    """Say which rows, ordered by day, are the first of theirs."""
    return np.concatenate([[True], days[1:] != days[:-1]])


def weekday_of(days: Whole) -> Whole:
    """Weekday of each day since 1970-01-01, shape (n,); Monday is 0."""
    # Day 0 of the Unix calendar was a Thursday.
    return (days + 3) % 7


def holiday_factor(residuals: Residuals) -> float:
    """How much larger errors are around holidays, drawn towards 1 where few such days were seen.

    All days kept weigh alike, as holidays are seldom. Without this factor, before the test windows
    of chain, 70% of the days around holidays fell into 80% intervals, and 82% of the others.
    """
    near = residuals.near_holiday
    if near.all() or not near.any():
        return 1.0
    error = residuals.units - residuals.forecast
    by_chance, by_share = fit_variance(residuals.forecast, error, np.ones(len(error)))
    size = np.abs(error) / np.sqrt(
        by_chance * residuals.forecast + by_share * residuals.forecast**2
    )
    size = _trimmed(size)
    usual = float(size[~near].mean())
    if usual <= 0:
        return 1.0
    seen = int(first_of_day(residuals.days[near]).sum())
    found = float(size[near].mean()) / usual
    return max((seen * found + HOLIDAY_PRIOR_DAYS) / (seen + HOLIDAY_PRIOR_DAYS), 1.0)


def fitted_factor(relative: Floats, fitted: Flags) -> float:
    """How much larger errors are on days that the model wasn't fitted to; at least 1."""
    if fitted.all() or not fitted.any():
        return 1.0
    seen = float(np.abs(relative[fitted]).mean())
    new = float(np.abs(relative[~fitted]).mean())
    return min(max(new / seen, 1.0), LARGEST_FITTED_FACTOR) if seen > 0 else 1.0


def fit_variance(forecast: Floats, error: Floats, weight: Floats) -> tuple[float, float]:
    """Fit (error / f)² = by_chance / f + by_share, both at least 0, by weighted least squares.

    A squared error scatters in proportion to its mean, so that each pass weighs the rows by what
    the one before says of them; and outliers are cut off where it says they are.
    """
    relative, inverse = (error / forecast) ** 2, 1 / forecast
    usual = np.full(len(forecast), (weight @ relative) / weight.sum() or _LEAST_SHARE)
    chance, share = 0.0, float(usual[0])
    for _ in range(_PASSES):
        times = relative / usual
        trimmed = _trimmed(times) * usual
        chance, share = _line(inverse, trimmed, weight / usual**2)
        usual = np.maximum(chance * inverse + share, _LEAST_SHARE)
    return chance, share


def _trimmed(values: Floats) -> Floats:
    """Cut values off at their quantile `TRIMMED`; NumPy's own takes several times as long."""
    place = TRIMMED * (len(values) - 1)
    below = math.floor(place)
    parted = np.partition(values, below)
    low, high = parted[below], parted[min(below + 1, len(values) - 1) :].min()
    return np.asarray(np.minimum(values, low + (place - below) * (high - low)))


def _line(x: Floats, y: Floats, weight: Floats) -> tuple[float, float]:
    """Fit slope and height, both at least 0."""
    total = weight.sum()
    mean_x, mean_y = float(weight @ x / total), float(weight @ y / total)
    pull = weight * (x - mean_x)
    spread = float(pull @ (x - mean_x))
    slope = float(pull @ (y - mean_y)) / spread if spread > 0 else 0.0
    slope = min(max(slope, 0.0), mean_y / mean_x)
    height = mean_y - slope * mean_x
    if height <= 0 and slope <= 0:
        return 0.0, _LEAST_SHARE
    return slope, max(height, 0.0)


def weekday_factors(plain: Floats, days: Whole, weight: Floats) -> Floats:
    """Width by weekday, drawn towards 1 where the weekday was seen on few days."""
    size = _trimmed(np.abs(plain))
    overall = (weight @ size) / weight.sum()
    if overall <= 0:
        return np.ones(7)
    weekday, first = weekday_of(days), first_of_day(days)
    by_day = weight[first]
    found = _summed(weekday, weight * size) / np.maximum(_summed(weekday, weight), _NO_WEIGHT)
    squares = np.maximum(_summed(weekday[first], by_day**2), _NO_WEIGHT)
    seen = _summed(weekday[first], by_day) ** 2 / squares
    factors: Floats = (seen * found / overall + WEEKDAY_PRIOR_DAYS) / (seen + WEEKDAY_PRIOR_DAYS)
    return factors


@dataclass(frozen=True)
class ProductFactors:
    """Width by product.

    Parameters
    ----------
    by_name : dict of str to float
        Factor on the scale; none where there is a single product.
    by_row : array of shape (n,)
        The same by row.
    telling : bool array of shape (n,)
        Rows that say what the others' errors are like: not those of products with next to none, as
        a standing order has.
    """

    by_name: dict[str, float]
    by_row: Floats
    telling: Flags


def product_factors(plain: Floats, products: Names, weight: Floats) -> ProductFactors:
    """Compare the sizes of products' errors; drawn towards 1 where few days of one were seen."""
    size = _trimmed(np.abs(plain))
    overall = (weight @ size) / weight.sum()
    codes, names = pd.factorize(products)
    if overall <= 0 or len(names) == 1:
        return ProductFactors({}, np.ones(len(plain)), np.ones(len(plain), dtype=bool))
    total = np.maximum(np.bincount(codes, weight), _NO_WEIGHT)
    seen = total**2 / np.maximum(np.bincount(codes, weight**2), _NO_WEIGHT)
    found = np.bincount(codes, weight * size) / total / overall
    factors = (seen * found + PRODUCT_PRIOR_DAYS) / (seen + PRODUCT_PRIOR_DAYS)
    by_name = dict(zip(names.tolist(), factors.tolist(), strict=True))
    return ProductFactors(by_name, factors[codes], found[codes] > NEXT_TO_NONE)


def _summed(weekday: Whole, values: Floats) -> Floats:
    """Sum values by weekday, shape (7,)."""
    return np.bincount(weekday, values, minlength=7).astype(np.float64)
