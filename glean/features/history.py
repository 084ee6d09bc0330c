"""What a series of sales had shown by the origin of each forecast: lags and means.

A row of day t at horizon h sees only sales of days up to t - h. Everything here counts trading
days, since a closed day has no row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Days = NDArray[np.int64]

WEEK = 7


@dataclass(frozen=True)
class History:
    """Past sales of one series, looked at from the origins of many forecasts.

    Parameters
    ----------
    units : array of shape (known,)
        Units of the series by trading day, oldest first.
    known : int array of shape (rows,)
        For each forecast row, how many of them lie at or before its origin.
    """

    units: Floats
    known: Days

    @classmethod
    def at(cls, days: Days, units: Floats, *, origins: Days) -> History:
        """Look at a series (`days` ascending, shape (known,)) from `origins`, shape (rows,)."""
        return cls(units, np.searchsorted(days, origins, side="right").astype(np.int64))

    def lag(self, steps: int) -> Floats:
        """Units `steps` trading days back (1: the last known), NaN where there are none."""
        position = self.known - steps
        found = np.full(position.shape, np.nan)
        there = position >= 0
        found[there] = self.units[position[there]]
        return found

    def mean(self, steps: int, *, at_least: int = 1) -> Floats:
        """Mean of the last `steps` trading days, or of those there are from `at_least` on."""
        return self._window_sum(self.units, steps) / self._count(steps, at_least)

    def deviation(self, steps: int, *, at_least: int = 2) -> Floats:
        """Give the standard deviation of the last `steps` trading days."""
        count = self._count(steps, at_least)
        mean = self._window_sum(self.units, steps) / count
        variance = self._window_sum(self.units**2, steps) / count - mean**2
        return np.sqrt(np.maximum(variance, 0.0))

    def _count(self, steps: int, at_least: int) -> Floats:
        count = np.minimum(self.known, steps).astype(np.float64)
        count[count < at_least] = np.nan
        return count

    def _window_sum(self, values: Floats, steps: int) -> Floats:
        total = np.concatenate([[0.0], np.cumsum(values)])
        found: Floats = total[self.known] - total[np.maximum(self.known - steps, 0)]
        return found


def by_weekday(days: Days, units: Floats, *, rows: Days, origins: Days) -> list[History]:
    """One history for each weekday; `rows` of other weekdays see nothing in it.

    Returns
    -------
    list of History
        Seven, Monday first; combine them with `on_own_weekday`.
    """
    histories = []
    for weekday in range(WEEK):
        mine = _weekday(days) == weekday
        history = History.at(days[mine], units[mine], origins=origins)
        known = np.where(_weekday(rows) == weekday, history.known, 0)
        histories.append(History(history.units, known))
    return histories


def on_own_weekday(values: list[Floats]) -> Floats:
    """Put together what each weekday's history found: each row has at most one value."""
    found = values[0].copy()
    for other in values[1:]:
        found = np.where(np.isnan(found), other, found)
    return found


def _weekday(days: Days) -> Days:
    # Day 0 of the Unix calendar was a Thursday.
    return (days + 3) % WEEK
