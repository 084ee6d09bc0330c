"""What series of sales had shown by the origin of each forecast: lags and means.

A row of day t at horizon h sees only sales of days up to t - h. Everything here counts trading
days, since a closed day has no row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Days = NDArray[np.int64]

WEEK = 7

_DAYS = 2**22
"""More days than there are dates: series and day together make one number."""


@dataclass(frozen=True)
class History:
    """Past sales of many series, looked at from the origins of many forecasts.

    Parameters
    ----------
    units : array of shape (series, longest)
        Units of each series by trading day, oldest first; NaN behind its last, and in series of
        which exponential means are asked on days that don't count.
    keys, starts : int arrays of shape (sales,) and (series,)
        Series and day of each sale in order, as one number, and the first of each series.
    series, origins : int arrays of shape (rows,)
        Series that each forecast row looks at, and the last day that it sees.
    """

    units: Floats
    keys: Days
    starts: Days
    series: Days
    origins: Days

    @classmethod
    def at(
        cls,
        series: Days,
        days: Days,
        units: Floats,
        *,
        rows: Days,
        origins: Days,
        count: int,
    ) -> History:
        """Look at series from origins.

        Parameters
        ----------
        series, days, units : arrays of shape (sales,)
            Series, numbered from 0, day and units of each sale; a series has a day once.
        rows, origins : int arrays of shape (rows,)
            Series that each forecast row looks at, and the last day that it sees.
        count : int
            How many series there are.
        """
        keys = keys_of(series, days)
        order = np.argsort(keys, kind="stable")
        keys, series = keys[order], series[order]
        starts = np.searchsorted(series, np.arange(count))
        places = np.arange(len(series)) - starts[series]
        found = np.full((count, int(places.max(initial=0)) + 1), np.nan)
        found[series, places] = units[order]
        return cls(found, keys, starts, rows, origins)

    def of(self, series: Days) -> History:
        """Look at other series, shape (rows,), from the same origins."""
        return replace(self, series=series)

    @cached_property
    def known(self) -> Days:
        """How many days of its series lie at or before each row's origin, shape (rows,)."""
        upto = np.searchsorted(self.keys, keys_of(self.series, self.origins), side="right")
        return np.asarray(upto - self.starts[self.series])

    def lag(self, steps: int) -> Floats:
        """Units `steps` trading days back (1: the last known), NaN where there are none."""
        position = self.known - steps
        return np.where(position >= 0, self.units[self.series, np.maximum(position, 0)], np.nan)

    def mean(self, steps: int, *, at_least: int = 1) -> Floats:
        """Mean of the last `steps` trading days, or of those there are from `at_least` on."""
        return self._window_sum(self._totals, steps) / self._count(steps, at_least)

    def deviation(self, steps: int, *, at_least: int = 2) -> Floats:
        """Give the standard deviation of the last `steps` trading days."""
        count = self._count(steps, at_least)
        mean = self._window_sum(self._totals, steps) / count
        variance = self._window_sum(_totals(self.units**2), steps) / count - mean**2
        return np.sqrt(np.maximum(variance, 0.0))

    def exponential_mean(self, steps: int, share: float) -> Floats:
        """Mean of the last `steps` days, each counting 1 - `share` of what the day after it does.

        NaN where none of them counts.
        """
        return self.looked_up(self.exponential_means(steps, share))

    def exponential_means(self, steps: int, share: float) -> Floats:
        """Make the means of all series, shape (series, longest + 1), by how many days are known."""
        weight = (1.0 - share) ** np.arange(steps - 1, -1, -1, dtype=np.float64)
        total = _windows(np.nan_to_num(self.units), steps) @ weight
        found: Floats = total / _positive(_windows(self._counting, steps) @ weight)
        return found

    def count(self, steps: int) -> Floats:
        """How many of the last `steps` days count."""
        return self.looked_up(_windows(self._counting, steps).sum(axis=-1))

    def looked_up(self, values: Floats) -> Floats:
        """Take each row's own of values by series and how many days of it are known."""
        found: Floats = values[self.series, self.known]
        return found

    @property
    def _counting(self) -> Floats:
        return np.isfinite(self.units).astype(np.float64)

    @cached_property
    def _totals(self) -> Floats:
        return _totals(self.units)

    def _count(self, steps: int, at_least: int) -> Floats:
        count = np.minimum(self.known, steps).astype(np.float64)
        count[count < at_least] = np.nan
        return count

    def _window_sum(self, totals: Floats, steps: int) -> Floats:
        first = np.maximum(self.known - steps, 0)
        found: Floats = self.looked_up(totals) - totals[self.series, first]
        return found


def keys_of(series: Days, days: Days) -> Days:
    """Make one number of series and day, in the order of both."""
    return series * _DAYS + days


def weekday_of(days: Days) -> Days:
    """Weekday of each day number, 0 is Monday."""
    # Day 0 of the Unix calendar was a Thursday.
    return (days + 3) % WEEK


def _windows(values: Floats, steps: int) -> Floats:
    """Look at the last values before each place, shape (series, longest + 1, steps); 0 in front."""
    padded = np.concatenate([np.zeros((len(values), steps)), values], axis=1)
    return np.lib.stride_tricks.sliding_window_view(padded, steps, axis=1)


def _totals(values: Floats) -> Floats:
    """Sum up each series, with 0 in front."""
    total = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=total[:, 1:])
    return total


def _positive(values: Floats) -> Floats:
    return np.where(values > 0, values, np.nan)
