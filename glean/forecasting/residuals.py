"""Residuals: a bakery's past forecasts beside what came of them.

They come from validation and test windows; calibrations are learned from them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glean.metrics import Floats

Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]
Names = NDArray[np.object_]

KEPT_DAYS = 365
"""Days of errors that are looked back on."""


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
    products : object array of shape (n,)
        Name of the product.
    """

    days: Whole
    forecast: Floats
    units: Floats
    fitted: Flags
    near_holiday: Flags
    products: Names

    def rows(self, wanted: Flags | Whole | slice) -> Residuals:
        """Take rows by a mask of shape (n,), by their numbers, or by a slice."""
        return Residuals(
            self.days[wanted],
            self.forecast[wanted],
            self.units[wanted],
            self.fitted[wanted],
            self.near_holiday[wanted],
            self.products[wanted],
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
            np.concatenate([self.products, other.products]),
        )
