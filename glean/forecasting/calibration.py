"""How sure a forecast is: quantiles of demand from the bakery's own recent errors.

In come past forecasts and what came of them; out comes a distribution around any new forecast. It
is split conformal prediction (Vovk et al. 2005) with scores that are scaled: an error of ten rolls
means little on a thousand and much on twenty. The scale is a variance that grows with the forecast
f as a * f + b * f² (of counts: chance between customers, and a share of the day), so that it goes
along when the table counts in dozens instead of pieces. Weekdays have a width of their own, and so
have the days around public holidays. Recent errors weigh more, so that it adapts when demand
shifts. A bakery with few errors leans on a distribution borrowed from the federation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glean.metrics import Floats

Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

KEPT_DAYS = 365
"""Days of errors that are looked back on."""

HALF_LIFE_DAYS = 45.0
"""Days after which an error weighs half as much. Chosen on windows before the test windows of the
reference jobs; from 30 to 180 mean pinball losses differ there by 0.1%."""

WEEKDAY_PRIOR_DAYS = 12.0
"""Days of a weekday that weigh as much as what all weekdays say of their common width."""

HOLIDAY_PRIOR_DAYS = 12.0
"""Days around holidays that weigh as much as what the other days say of their width."""

PRIOR_DAYS = 28.0
"""Days of own errors that weigh as much as what is borrowed from the federation. On windows before
the test windows of the reference jobs mean pinball losses were higher with 0, 10, 60 and 120."""

TRIMMED = 0.98
"""Quantile of the relative errors above which one counts as that quantile in the scale."""

WIDEST_GROWTH = 2.0
"""Most that errors of days the model was fitted to are widened by."""


@dataclass(frozen=True)
class Residuals:
    """Forecasts and what came of them; n rows in any order.

    Parameters
    ----------
    days : int array of shape (n,)
        Days since 1970-01-01.
    forecast, units : array of shape (n,)
        Units.
    fitted : bool array of shape (n,)
        Whether the forecast's model was fitted to the row: its error is then too small.
    near_holiday : bool array of shape (n,)
        Whether the day is around a public holiday.
    """

    days: Whole
    forecast: Floats
    units: Floats
    fitted: Flags
    near_holiday: Flags

    def rows(self, wanted: Flags | Whole | slice) -> Residuals:
        """Take rows by a mask of shape (n,), by their numbers, or by a slice."""
        return Residuals(
            self.days[wanted],
            self.forecast[wanted],
            self.units[wanted],
            self.fitted[wanted],
            self.near_holiday[wanted],
        )

    def where(self, mask: Flags) -> Residuals:
        """Keep the rows where `mask`, shape (n,), is true; these themselves where it always is."""
        return self if mask.all() else self.rows(mask)

    def by_day(self) -> Residuals:
        """Order the rows by day; these themselves where they are in order."""
        ordered = (self.days[1:] >= self.days[:-1]).all()
        return self if ordered else self.rows(np.argsort(self.days, kind="stable"))

    def until(self, day: int) -> Residuals:
        """Keep what was known at the end of a day, `KEPT_DAYS` back; by day."""
        ordered = self.by_day()
        first, end = np.searchsorted(ordered.days, (day - KEPT_DAYS, day), side="right")
        found = ordered.rows(slice(first, end))
        return found.where(np.isfinite(found.units))

    def plus(self, other: Residuals) -> Residuals:
        """Put further rows behind these."""
        return Residuals(
            np.concatenate([self.days, other.days]),
            np.concatenate([self.forecast, other.forecast]),
            np.concatenate([self.units, other.units]),
            np.concatenate([self.fitted, other.fitted]),
            np.concatenate([self.near_holiday, other.near_holiday]),
        )


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
    """

    by_chance: float
    by_share: float
    scores: Floats
    levels: Floats
    weekdays: Floats
    holiday: float = 1.0

    def scale(self, forecast: Floats, days: Whole, near_holiday: Flags | None = None) -> Floats:
        """Give the standard deviation of demand around forecasts, units of shape (n,)."""
        variance = self.by_chance * forecast + self.by_share * forecast**2
        scale = np.sqrt(variance) * self.weekdays[_weekday(days)]
        return scale if near_holiday is None else np.where(near_holiday, self.holiday, 1.0) * scale

    def quantiles(
        self, forecast: Floats, days: Whole, levels: Floats, near_holiday: Flags | None = None
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

        Returns
        -------
        array of shape (n, k)
            Units, never below zero; they don't fall as the level rises.
        """
        standard = np.interp(levels, self.levels, self.scores)
        scale = self.scale(forecast, days, near_holiday)
        return np.maximum(forecast[:, None] + np.outer(scale, standard), 0.0)

    def cdf(
        self, units: Floats, forecast: Floats, days: Whole, near_holiday: Flags | None = None
    ) -> Floats:
        """Probability of demand of at most `units`, shape (n,)."""
        scale = np.maximum(self.scale(forecast, days, near_holiday), 1e-12)
        found = np.interp((units - forecast) / scale, self.scores, self.levels, left=0.0, right=1.0)
        return np.asarray(np.where(units < 0, 0.0, found))


def calibrate(past: Residuals, *, today: int, prior: Calibration | None = None) -> Calibration:
    """Learn how sure forecasts are.

    Parameters
    ----------
    past : Residuals
        Rows up to today.
    today : int
        Last day that is known, in days since 1970-01-01.
    prior : Calibration, optional
        What other bakeries' errors say, for where the own ones are few.
    """
    past = past.where(past.forecast > 0).by_day()
    if len(past.days) == 0:
        return prior or UNKNOWN
    forecast, days, fitted = past.forecast, past.days, past.fitted
    holiday = _holiday(past)
    error = (past.units - forecast) / np.where(past.near_holiday, holiday, 1.0)
    error = np.where(fitted, error * _growth(error / forecast, fitted), error)
    weight = np.exp2((days - today) / HALF_LIFE_DAYS)
    by_chance, by_share = _variance(forecast, error, weight)
    plain = error / np.sqrt(by_chance * forecast + by_share * forecast**2)
    weekdays = _weekdays(plain, days, weight)
    scores, levels = _distribution(plain / weekdays[_weekday(days)], days, weight)
    own = Calibration(by_chance, by_share, scores, levels, weekdays, holiday)
    return own if prior is None else _blended(own, prior, days=_days_seen(days, weight))


def _new_day(days: Whole) -> Flags:
    """Say which rows, ordered by day, are the first of theirs."""
    return np.concatenate([[True], days[1:] != days[:-1]])


def _days_seen(days: Whole, weight: Floats) -> float:
    """How many days of full weight the errors, ordered by day, are worth."""
    by_day = weight[_new_day(days)]
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
    )


def _holiday(past: Residuals) -> float:
    """How much larger errors are around holidays, drawn towards 1 where few such days were seen.

    All days kept weigh alike, as holidays are seldom. Without this factor, before the test windows
    of chain, 70% of the days around holidays fell into 80% intervals, and 82% of the others.
    """
    near = past.near_holiday
    if near.all() or not near.any():
        return 1.0
    error = past.units - past.forecast
    by_chance, by_share = _variance(past.forecast, error, np.ones(len(error)))
    size = np.abs(error) / np.sqrt(by_chance * past.forecast + by_share * past.forecast**2)
    size = _trimmed(size)
    usual = float(size[~near].mean())
    if usual <= 0:
        return 1.0
    seen = int(_new_day(past.days[near]).sum())
    own = float(size[near].mean()) / usual
    return max((seen * own + HOLIDAY_PRIOR_DAYS) / (seen + HOLIDAY_PRIOR_DAYS), 1.0)


def _growth(relative: Floats, fitted: Flags) -> float:
    """How much larger errors are on days that the model wasn't fitted to; at least 1."""
    if fitted.all() or not fitted.any():
        return 1.0
    seen = float(np.abs(relative[fitted]).mean())
    new = float(np.abs(relative[~fitted]).mean())
    return min(max(new / seen, 1.0), WIDEST_GROWTH) if seen > 0 else 1.0


def _variance(forecast: Floats, error: Floats, weight: Floats) -> tuple[float, float]:
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


_PASSES = 3
_LEAST_SHARE = 1e-6
_NO_WEIGHT = 1e-12


def _weekdays(plain: Floats, days: Whole, weight: Floats) -> Floats:
    """Width by weekday, drawn towards 1 where the weekday was seen on few days."""
    size = _trimmed(np.abs(plain))
    overall = (weight @ size) / weight.sum()
    if overall <= 0:
        return np.ones(7)
    weekday, first = _weekday(days), _new_day(days)
    by_day = weight[first]
    own = _summed(weekday, weight * size) / np.maximum(_summed(weekday, weight), _NO_WEIGHT)
    squares = np.maximum(_summed(weekday[first], by_day**2), _NO_WEIGHT)
    seen = _summed(weekday[first], by_day) ** 2 / squares
    factors: Floats = (seen * own / overall + WEEKDAY_PRIOR_DAYS) / (seen + WEEKDAY_PRIOR_DAYS)
    return factors


def _summed(weekday: Whole, values: Floats) -> Floats:
    """Sum values by weekday, shape (7,)."""
    return np.bincount(weekday, values, minlength=7).astype(np.float64)


def _distribution(scores: Floats, days: Whole, weight: Floats) -> tuple[Floats, Floats]:
    """Order the scores and say which quantile each is; the tails reach beyond the ends.

    A new error lies above the largest of n with probability 1 / (n + 1): the levels leave that much
    on either side. The products of a day err together, so that n lies between rows and days.
    """
    order = np.argsort(scores, kind="stable")
    ranked, weights = scores[order], weight[order]
    rows = weight.sum() ** 2 / (weight @ weight)
    together = len(scores) / _new_day(days).sum()
    count = max(rows / together, 1.0)
    middle = (np.cumsum(weights) - weights / 2) / weights.sum()
    levels = (0.5 + count * middle) / (count + 1)
    spread = max(float(np.sqrt((weights @ ranked**2) / weights.sum())), 1e-9)
    ends = np.array([ranked[0] - spread, ranked[-1] + spread])
    return (
        np.concatenate([ends[:1], ranked, ends[1:]]),
        np.concatenate([[levels[0] / 10], levels, [1 - (1 - levels[-1]) / 10]]),
    )


def _weekday(days: Whole) -> Whole:
    # Day 0 of the Unix calendar was a Thursday.
    return (days + 3) % 7


UNKNOWN = Calibration(
    by_chance=0.0,
    by_share=0.3**2,
    scores=np.array([-3.0, -1.96, -1.2816, -0.6745, 0.0, 0.6745, 1.2816, 1.96, 3.0]),
    levels=np.array([0.00135, 0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975, 0.99865]),
    weekdays=np.ones(7),
)
"""Where there is no error to learn from yet: a normal distribution with a deviation of 30%."""
