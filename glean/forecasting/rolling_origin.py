"""Rolling-origin forecasts: each day's quantiles come from the errors known at its origin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glean.features.calendar import day_numbers
from glean.features.matrix import FeatureMatrix
from glean.forecasting.adaptive_conformal import adapted_intervals
from glean.forecasting.calibration import Calibration
from glean.forecasting.residuals import Residuals
from glean.metrics import Floats

Flags = NDArray[np.bool_]

NEAR_HOLIDAY_DAYS = 2
"""Distance up to which a day is around a public holiday: of 1, 2 and 3 the one with which coverage
was nearest to nominal on windows before the test windows of chain and restaurants-100."""


@dataclass(frozen=True)
class RollingQuantiles:
    """Quantiles of demand for n rows, each from what was known at its origin.

    Parameters
    ----------
    levels : array of shape (k,)
        Levels, between 0 and 1.
    units : array of shape (n, k)
        Quantiles.
    pit : array of shape (n,)
        Probability integral transform of what was sold, randomised where sales are whole numbers
        (Czado, Gneiting and Held 2009): spread evenly over 0 to 1 where the forecast is as sure as
        it says.
    """

    levels: Floats
    units: Floats
    pit: Floats

    def at(self, level: float) -> Floats:
        """Quantile at one of the levels, units of shape (n,)."""
        found: Floats = self.units[:, int(np.argmin(np.abs(self.levels - level)))]
        return found


def near_holiday(features: FeatureMatrix) -> Flags:
    """Say which rows are of days around a public holiday, shape (n,)."""
    distance = np.fmin(features.column("days_to_holiday"), features.column("days_since_holiday"))
    near = (features.column("holiday") > 0) | (distance <= NEAR_HOLIDAY_DAYS)
    return near | np.isfinite(features.special_ratio)


def residuals(features: FeatureMatrix, forecast: Floats, *, fitted: bool) -> Residuals:
    """Put forecasts of rows (units, shape (n,)) beside what came of them."""
    days = day_numbers(features.keys["date"])
    return Residuals(
        days,
        forecast,
        features.units,
        np.full(len(days), fitted),
        near_holiday(features),
        features.keys["product"].to_numpy(dtype=object),
    )


def rolling_quantiles(
    earlier: Residuals,
    features: FeatureMatrix,
    forecast: Floats,
    *,
    levels: Floats,
    seed: int,
    prior: Calibration | None = None,
) -> RollingQuantiles:
    """Give every row its quantiles.

    Parameters
    ----------
    earlier : Residuals
        Errors before the rows.
    features : FeatureMatrix
        n rows with known units; their definition's horizon says what was known when.
    forecast : array of shape (n,)
        Units.
    levels : array of shape (k,)
        Levels, between 0 and 1.
    seed : int
        Seed of the draws that spread whole numbers.
    prior : Calibration, optional
        What other bakeries' errors say.
    """
    rows = residuals(features, forecast, fitted=False)
    days, near, products = rows.days, rows.near_holiday, rows.products
    known = earlier.plus(rows)
    whole = bool((features.units == np.round(features.units)).all())
    chance = np.random.default_rng(seed).random(len(days))
    found, pit = np.empty((len(days), len(levels))), np.empty(len(days))
    calibrations = adapted_intervals(
        known,
        np.unique(days).tolist(),
        horizon_days=features.definition.horizon_days,
        prior=prior,
    )
    for day, calibration in calibrations.items():
        mine = days == day
        found[mine] = calibration.quantiles(
            forecast[mine], days[mine], levels, near[mine], products[mine]
        )
        below, upto = (
            calibration.cdf(
                features.units[mine] + half, forecast[mine], days[mine], near[mine], products[mine]
            )
            for half in ((-0.5, 0.5) if whole else (0.0, 0.0))
        )
        pit[mine] = below + chance[mine] * (upto - below)
    return RollingQuantiles(levels, found, pit)
