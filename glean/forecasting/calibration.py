"""How sure a forecast is: quantiles of demand from the bakery's own recent errors.

In come past forecasts and what came of them; out comes a distribution around any new forecast. It
is split conformal prediction (Vovk et al. 2005) with scores that are scaled: an error of ten rolls
means little on a thousand and much on twenty. The scale is a variance that grows with the forecast
f as a * f + b * f² (of counts: chance between customers, and a share of the day), so that it goes
along when the table counts in dozens instead of pieces. Weekdays have a width of their own, and so
have products and the days around public holidays. Recent errors weigh more, so that it adapts when
demand shifts. A product with few errors leans on the bakery's others, and a bakery with few on a
prior from the federation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.forecasting.error_scale import (
    first_of_day,
    fit_variance,
    fitted_factor,
    holiday_factor,
    product_factors,
    weekday_factors,
    weekday_of,
)
from glean.forecasting.residuals import Names, Residuals
from glean.metrics import Floats

Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

HALF_LIFE_DAYS = 45.0
"""Days after which an error weighs half as much. Chosen on windows before the test windows of the
reference jobs; from 30 to 180 mean pinball losses differ there by 0.1%."""

PRIOR_DAYS = 28.0
"""Days of own errors that weigh as much as the federation's prior. On windows before
the test windows of the reference jobs mean pinball losses were higher with 0, 10, 60 and 120."""


@dataclass(frozen=True)
class Calibration:
    """Distribution of demand around a forecast.

    Parameters
    ----------
    by_chance, by_share : float
        Variance of demand is by_chance * f + by_share * f², f the forecast in units.
    scores : array of shape (k,)
        Errors divided by the scale, ascending.
    levels : array of shape (k,)
        Level of the quantile that each score stands at, strictly between 0 and 1, ascending.
    weekdays : array of shape (7,)
        Factor on the scale, Monday first.
    holiday : float
        Factor on the scale around public holidays, at least 1.
    products : mapping of str to float
        Factor on the scale by product; 1 for those that aren't there.
    """

    by_chance: float
    by_share: float
    scores: Floats
    levels: Floats
    weekdays: Floats
    holiday: float = 1.0
    products: Mapping[str, float] = field(default_factory=dict)

    def scale(
        self,
        forecast: Floats,
        days: Whole,
        near_holiday: Flags | None = None,
        products: Names | None = None,
    ) -> Floats:
        """Give the standard deviation of demand around forecasts, units of shape (n,)."""
        variance = self.by_chance * forecast + self.by_share * forecast**2
        scale = np.sqrt(variance) * self.weekdays[weekday_of(days)]
        if near_holiday is not None:
            scale = np.where(near_holiday, self.holiday, 1.0) * scale
        return scale if products is None else self.widths(products) * scale

    def widths(self, products: Names) -> Floats:
        """Give the factors on the scale of the rows' products, shape (n,)."""
        codes, names = pd.factorize(products)
        return np.array([self.products.get(name, 1.0) for name in names])[codes]

    def quantiles(
        self,
        forecast: Floats,
        days: Whole,
        levels: Floats,
        near_holiday: Flags | None = None,
        products: Names | None = None,
    ) -> Floats:
        """Quantiles of demand.

        Parameters
        ----------
        forecast : array of shape (n,)
            Units.
        days : int array of shape (n,)
            Days since 1970-01-01.
        levels : array of shape (k,)
            Between 0 and 1.
        near_holiday : bool array of shape (n,), optional
            Which days are around a public holiday; by default none.
        products : object array of shape (n,), optional
            Whose forecasts these are; by default of products of the usual width.

        Returns
        -------
        array of shape (n, k)
            Units, never below zero; they don't fall as the level rises.
        """
        standard = np.interp(levels, self.levels, self.scores)
        scale = self.scale(forecast, days, near_holiday, products)
        return np.maximum(forecast[:, None] + np.outer(scale, standard), 0.0)

    def cdf(
        self,
        units: Floats,
        forecast: Floats,
        days: Whole,
        near_holiday: Flags | None = None,
        products: Names | None = None,
    ) -> Floats:
        """Probability of demand of at most `units`, shape (n,)."""
        scale = np.maximum(self.scale(forecast, days, near_holiday, products), 1e-12)
        found = np.interp((units - forecast) / scale, self.scores, self.levels, left=0.0, right=1.0)
        return np.asarray(np.where(units < 0, 0.0, found))


def calibrate(residuals: Residuals, *, today: int, prior: Calibration | None = None) -> Calibration:
    """Learn how sure forecasts are.

    Parameters
    ----------
    residuals : Residuals
        Rows up to today.
    today : int
        Last day that is known, in days since 1970-01-01.
    prior : Calibration, optional
        What other bakeries' errors say, for where the own ones are few.
    """
    residuals = residuals.where(residuals.forecast > 0).by_day()
    if len(residuals.days) == 0:
        return prior or UNKNOWN
    forecast, days, fitted = residuals.forecast, residuals.days, residuals.fitted
    holiday = holiday_factor(residuals)
    error = (residuals.units - forecast) / np.where(residuals.near_holiday, holiday, 1.0)
    error = np.where(fitted, error * fitted_factor(error / forecast, fitted), error)
    weight = np.exp2((days - today) / HALF_LIFE_DAYS)
    by_chance, by_share = fit_variance(forecast, error, weight)
    plain = error / np.sqrt(by_chance * forecast + by_share * forecast**2)
    products = product_factors(plain, residuals.products, weight)
    plain = plain / products.by_row
    weekdays = weekday_factors(plain, days, weight)
    plain, telling = plain / weekdays[weekday_of(days)], products.telling
    scores, levels = _distribution(plain[telling], days[telling], weight[telling])
    own = Calibration(by_chance, by_share, scores, levels, weekdays, holiday, products.by_name)
    return own if prior is None else _blended(own, prior, days=_days_seen(days, weight))


def _days_seen(days: Whole, weight: Floats) -> float:
    """How many days of full weight the errors, ordered by day, are worth."""
    by_day = weight[first_of_day(days)]
    return float(by_day.sum() ** 2 / (by_day @ by_day))


def _blended(own: Calibration, prior: Calibration, *, days: float) -> Calibration:
    """Draw the variance and each quantile to the prior's, the more the fewer days there are."""
    share = days / (days + PRIOR_DAYS)
    levels = np.union1d(own.levels, prior.levels)
    mine, others = (np.interp(levels, each.levels, each.scores) for each in (own, prior))
    return Calibration(
        share * own.by_chance + (1 - share) * prior.by_chance,
        share * own.by_share + (1 - share) * prior.by_share,
        share * mine + (1 - share) * others,
        levels,
        share * own.weekdays + (1 - share) * prior.weekdays,
        own.holiday,
        own.products,
    )


def _distribution(scores: Floats, days: Whole, weight: Floats) -> tuple[Floats, Floats]:
    """Order the scores and say which quantile each is; the tails reach beyond the ends.

    A new error lies above the largest of n with probability 1 / (n + 1): the levels leave that much
    on either side. The products of a day err together, so that n lies between rows and days.
    """
    order = np.argsort(scores, kind="stable")
    ranked, weights = scores[order], weight[order]
    rows = weight.sum() ** 2 / (weight @ weight)
    together = len(scores) / first_of_day(days).sum()
    count = max(rows / together, 1.0)
    middle = (np.cumsum(weights) - weights / 2) / weights.sum()
    levels = (0.5 + count * middle) / (count + 1)
    spread = max(float(np.sqrt((weights @ ranked**2) / weights.sum())), 1e-9)
    ends = np.array([ranked[0] - spread, ranked[-1] + spread])
    return (
        np.concatenate([ends[:1], ranked, ends[1:]]),
        np.concatenate([[levels[0] / 10], levels, [1 - (1 - levels[-1]) / 10]]),
    )


UNKNOWN = Calibration(
    by_chance=0.0,
    by_share=0.3**2,
    scores=np.array([-3.0, -1.96, -1.2816, -0.6745, 0.0, 0.6745, 1.2816, 1.96, 3.0]),
    levels=np.array([0.00135, 0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975, 0.99865]),
    weekdays=np.ones(7),
)
"""Where there is no error to learn from yet: a normal distribution with a deviation of 30%."""
