"""Numbers on the ring of 64-bit integers, where sums are exact, whoever holds which row.

Each row's gradient and hessian are rounded here before anything is summed. Integer addition knows
no order and no rounding, so that histograms added up over bakeries are those of one table that
holds all rows, to the last bit; and integers are what secure sums can mask.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glean.errors import FederationError
from glean.learning.kernels import kernels

LOG = logging.getLogger("glean")

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

GRADIENT_BOUND = 64.0
"""Gradients and hessians of a row of weight 1 are clipped to this. On a scale where 1 is a
product's usual day, a day 64 times the usual can only be damage."""

SUM_BITS = 46
"""Sums stay below 2**46: far from the 2**63 at which they would wrap, and from the 2**53 up to
which a float64 holds every whole number."""

MOST_ROWS = 2**32
_BOUND_BITS = 6
_SLACK = 1e-3
"""What the weights may add up to beyond the rows declared: the unit of weight may be rounded."""


@dataclass(frozen=True)
class FixedPoint:
    """Whole numbers that stand for multiples of 2**-bits.

    Weights are counted in the federation's mean weight, so that those of all bakeries add up to
    its number of rows N. A row's rounded gradient is at most 64 w 2**bits + 1/2, a sum over any
    rows at most N (64 * 2**bits + 1/2). With N <= 2**k and bits = 46 - 1 - 6 - k that is at most
    2**45 + N/2, below 2**46; rounding moves a mean gradient by at most 2**-(bits + 1).

    Parameters
    ----------
    rows : int
        Rows that the federation has, as declared by all together.
    bits : int
        Binary places behind the point.

    Examples
    --------
    >>> FixedPoint.for_rows(158_000).bits
    21
    """

    rows: int
    bits: int

    @classmethod
    def for_rows(cls, rows: int) -> FixedPoint:
        """Choose the finest scale whose sums over `rows` rows stay below 2**46.

        Raises
        ------
        FederationError
            There are no rows, or more than `MOST_ROWS`.
        """
        if not 1 <= rows <= MOST_ROWS:
            raise FederationError(
                f"the federation declares {rows} rows to train on; wanted 1 to {MOST_ROWS}"
            )
        return cls(rows, SUM_BITS - 1 - _BOUND_BITS - (rows - 1).bit_length())

    def encode(self, values: Floats) -> Whole:
        """Round numbers to the scale; any shape.

        Parameters
        ----------
        values : float64 array
            Of size `GRADIENT_BOUND` times a row's weight at most. What is beyond the largest sum is
            cut to it, and what is no number counts as zero, as an error would tell of the rows.
        """
        largest = float(2**SUM_BITS)
        with np.errstate(over="ignore"):
            found = np.asarray(values * self.unit)
        np.clip(found, -largest, largest, out=found)
        if np.isnan(found.sum()):  # what is cut is finite, and so are sums of it
            found = np.nan_to_num(found)
        return np.rint(found, out=found).astype(np.int64)

    def encode_pairs(self, gradient: Floats, hessian: Floats, weight: Floats) -> Whole:
        """Weight gradients and hessians and round them, as `encode` does; shape (rows, 2)."""
        out = np.empty((len(weight), 2), dtype=np.int64)
        largest = float(2**SUM_BITS)
        kernels().round_pairs(gradient, hessian, weight, self.unit, largest, out)
        return out

    def decode(self, sums: Whole) -> Floats:
        """Turn sums back into numbers; exact."""
        return sums / self.unit

    def note_weights(self, weights: Floats) -> None:
        """Say in the log where a bakery's rows weigh more than all bakeries declared together.

        Sums could wrap then. It is no error: whoever chooses the declared rows could find out by
        it, in a few steps, how much one bakery's rows weigh.

        Parameters
        ----------
        weights : float64 array of shape (rows,)
            One bakery's weights, in the federation's mean weight.
        """
        total = float(weights.sum())
        if not total <= self.rows * (1.0 + _SLACK):
            LOG.warning(
                "the rows here weigh %.6g mean rows; the federation declared %d in all. The "
                "sum is spoiled: either its table has changed since, then start the run anew, or "
                "the server made the number up",
                total,
                self.rows,
            )

    @property
    def unit(self) -> float:
        """What 1 is written as."""
        return float(2**self.bits)
