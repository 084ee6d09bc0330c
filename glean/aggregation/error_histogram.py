"""The distribution of the federation's errors, from sums over bakeries: a newcomer's prior.

In come forecasts of a bakery's validation window and what came of them; out come its summands:
sums that give the variance of demand around a forecast f as a * f + b * f², then counts of errors
that are divided by the square root of it. Of a single bakery neither is seen where sums are masked.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from glean.errors import ModelError

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

ENOUGH_ROWS = 14
"""Validation rows below which a bakery says nothing: its errors would be chance."""

EDGES = np.round(np.arange(-4.0, 6.01, 0.25), 2)
"""Public limits of the bins of an error in standard deviations; the outermost hold all beyond."""

MOMENTS_LENGTH = 5
COUNTS_LENGTH = len(EDGES) - 1

TRIMMED = 0.98
"""Quantile of a bakery's errors above which one counts as that quantile in the variance."""

_LEAST_FORECAST = 1e-3
"""Of the unit weight: smaller forecasts count as this much, or their inverse drowned the others."""


@dataclass(frozen=True)
class ErrorDistribution:
    """Distribution of the federation's errors.

    Parameters
    ----------
    by_chance, by_share : float
        Variance of demand is by_chance * f + by_share * f², f the forecast in units.
    counts : tuple of int
        Validation rows by the bin of `EDGES` that their error over its deviation falls into.

    Examples
    --------
    >>> errors = ErrorDistribution(1.0, 0.04, (1,) * COUNTS_LENGTH)
    >>> ErrorDistribution.from_json(errors.to_json()) == errors
    True
    """

    by_chance: float
    by_share: float
    counts: tuple[int, ...]

    def to_json(self) -> str:
        """Write it for a message or a file."""
        return json.dumps(vars(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read `to_json`'s text.

        Raises
        ------
        ModelError
            It isn't one: a number is missing, negative or not finite, or nothing was counted.
        """
        try:
            found = json.loads(text)
            chance, share, counts = (found[k] for k in ("by_chance", "by_share", "counts"))
            made = cls(_variance(chance), _variance(share), tuple(_count(each) for each in counts))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ModelError(
                f"the federation's error distribution can't be read: {error!r:.200}"
            ) from error
        if len(made.counts) != COUNTS_LENGTH or not sum(made.counts) or made.scale == (0.0, 0.0):
            raise ModelError(
                f"found a distribution of {sum(made.counts)} errors in {len(made.counts)} bins and "
                f"a variance of {made.scale}; wanted some in {COUNTS_LENGTH}, and more than 0"
            )
        return made

    @property
    def scale(self) -> tuple[float, float]:
        """Both parts of the variance."""
        return self.by_chance, self.by_share


def _variance(value: object) -> float:
    if type(value) not in (int, float) or not 0 <= float(value) < math.inf:  # type: ignore[arg-type]
        raise ValueError(f"found a variance of {value!r:.80}")
    return float(value)  # type: ignore[arg-type]


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**62:
        raise ValueError(f"found a count of {value!r:.80}")
    return value


def moments(forecast: Floats, units: Floats, *, unit_weight: float) -> Floats:
    """Sum up what the variance is fitted to, relative to the unit weight.

    Parameters
    ----------
    forecast, units : array of shape (n,)
        Units of the validation rows.
    unit_weight : float
        Mean weight of a row in the federation.

    Returns
    -------
    array of shape (MOMENTS_LENGTH,)
        Rows; sums of f, of 1 / f, of e² / f and of e² / f². Zeros of fewer than `ENOUGH_ROWS`.
    """
    f, error = _relative(forecast, units, unit_weight)
    if len(f) < ENOUGH_ROWS:
        return np.zeros(MOMENTS_LENGTH)
    by_chance = error**2 / f
    by_chance = np.minimum(by_chance, np.quantile(by_chance, TRIMMED))
    return np.array(
        [len(f), f.sum(), (1 / f).sum(), by_chance.sum(), (by_chance / f).sum()], dtype=np.float64
    )


def variance_of(sums: Floats) -> tuple[float, float] | None:
    """Fit a and b of the variance, relative to the unit weight; None where nobody has errors.

    They solve sum e² / f = a n + b sum f and sum e² / f² = a sum 1 / f + b n, the equations of
    demand by chance and of demand by share alone; where one came out negative it is 0. A poor fit
    does little harm: the errors are counted in deviations of this very variance.
    """
    n, f, inverse, by_chance, by_share = sums.tolist()
    if n < ENOUGH_ROWS or by_chance <= 0 or by_share <= 0:
        return None
    spread = f * inverse - n**2
    # All forecasts alike: nothing tells the one from the other.
    if spread <= 1e-6 * n**2:
        return 0.0, by_share / n
    chance = (f * by_share - n * by_chance) / spread
    share = (inverse * by_chance - n * by_share) / spread
    if chance <= 0:
        return 0.0, by_share / n
    return (chance, share) if share > 0 else (by_chance / n, 0.0)


def counts(
    forecast: Floats, units: Floats, *, unit_weight: float, scale: tuple[float, float]
) -> Whole:
    """Count a bakery's errors by `EDGES`, in deviations of the federation's variance.

    Parameters
    ----------
    forecast, units, unit_weight
        As for `moments`.
    scale : tuple of float
        What `variance_of` gave.

    Returns
    -------
    int array of shape (COUNTS_LENGTH,)
        Zeros of fewer than `ENOUGH_ROWS`.
    """
    f, error = _relative(forecast, units, unit_weight)
    if len(f) < ENOUGH_ROWS:
        return np.zeros(COUNTS_LENGTH, dtype=np.int64)
    standard = error / np.sqrt(scale[0] * f + scale[1] * f**2)
    bins = np.searchsorted(EDGES[1:-1], standard, side="right")
    return np.bincount(bins, minlength=COUNTS_LENGTH).astype(np.int64)


def _relative(forecast: Floats, units: Floats, unit_weight: float) -> tuple[Floats, Floats]:
    kept = np.isfinite(units) & (forecast > 0)
    f = np.maximum(forecast[kept] / unit_weight, _LEAST_FORECAST)
    return f, units[kept] / unit_weight - f
