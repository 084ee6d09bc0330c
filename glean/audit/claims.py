"""What an attacker says about single product-days, and how much of it is so.

A claim names a leaf, a level and a number of units: "of the rows that fall into this leaf, one has
this level and these units". A leaf says much of the day: its weekday, season, weather, promotion.
A claim counts for at most one product-day, the one that it comes closest to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glean.audit.bakery_truth import BakeryTruth
from glean.audit.leaf_sums import LeafSums

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Whole = NDArray[np.int64]

TOLERANCE = 0.05
"""A level, or units, counts as recovered within this share of the truth."""

_NO_UNITS = 0.5
"""What stands for a share where nothing was sold: less than half a piece."""


@dataclass(frozen=True, eq=False)
class Claims:
    """A claim for each leaf of some trees; NaN where none is made.

    Parameters
    ----------
    sums : LeafSums
        Whose leaves.
    levels, units : float64 arrays of shape (leaves,)
        What is claimed.
    """

    sums: LeafSums
    levels: Floats
    units: Floats

    @classmethod
    def single_rows(cls, sums: LeafSums) -> Claims:
        """Take each leaf for that of one row alone: its sums are the row's level and units."""
        there = (sums.levels > 0.0) & (sums.units > -_NO_UNITS)
        return cls(sums, np.where(there, sums.levels, np.nan), np.where(there, sums.units, np.nan))

    def recovered(self, truth: BakeryTruth) -> Mask:
        """Say which of a bakery's product-days some claim is right about, shape (rows,)."""
        found = np.zeros(len(truth), dtype=np.bool_)
        for leaves in truth.leaves(self.sums.trees):
            found |= recovered_by_leaf(self.levels, self.units, leaves, truth)
        return found


def recovered_by_leaf(levels: Floats, units: Floats, leaves: Whole, truth: BakeryTruth) -> Mask:
    """Say which product-days the claims about one tree's leaves are right about.

    Parameters
    ----------
    levels, units : float64 arrays of shape (leaves,)
        What is claimed of a row of each; NaN where nothing is.
    leaves : int64 array of shape (rows,)
        The leaf of each of the bakery's rows.
    truth : BakeryTruth
        The bakery.
    """
    off = np.maximum(
        np.abs(levels[leaves] - truth.level) / truth.level,
        np.abs(units[leaves] - truth.units) / _scale(truth.units),
    )
    right = np.flatnonzero(off <= TOLERANCE)  # NaN isn't
    closest = right[np.lexsort((off[right], leaves[right]))]
    _, first = np.unique(leaves[closest], return_index=True)
    found = np.zeros(len(truth), dtype=np.bool_)
    found[closest[first]] = True
    return found


def is_recovered(claimed: Floats, truth: Floats) -> Mask:
    """Say which numbers of units are recovered, any shape."""
    near_enough: Mask = np.abs(claimed - truth) <= TOLERANCE * _scale(truth)
    return near_enough


def _scale(units: Floats) -> Floats:
    return np.where(units > 0.0, units, _NO_UNITS / TOLERANCE)
