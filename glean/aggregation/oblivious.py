"""Leaf values of random trees from noised sums: Newton steps, shrunk by their noise.

The arithmetic of a round of the aggregation `oblivious`; no message, no randomness.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glean.learning.day_sums import UNIT
from glean.learning.oblivious_trees import DEPTH, TREES_PER_ROUND

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

LEAF_SPREAD = 0.05
"""Usual size of a leaf's mean residual, of the level: what its noise is compared with. Chosen with
the trees on validation windows of synthetic-40."""

LEAST_WEIGHT = 1.0
"""A leaf with less weight than this says nothing even without noise."""


def decoded(sums: Whole) -> Floats:
    """Turn sums of `DaySums` back into numbers."""
    return sums / UNIT


def leaf_values(
    gradients: Floats, hessians: Floats, *, noise: float, learning_rate: float
) -> NDArray[np.float32]:
    """Give the leaves of a round their values.

    The mean of all rows is taken out of the leaves and added once: all trees see it, so that a step
    of more than 2 would overshoot there, while what each tree sees alone wants longer ones.

    Parameters
    ----------
    gradients, hessians : float64 arrays of shape (trees * leaves,)
        Sums over all bakeries, noised or not.
    noise : float
        Standard deviation of the noise in each of `gradients`; 0 without.
    learning_rate : float
        Step size, of what each tree sees.

    Returns
    -------
    float32 array of shape (trees, leaves)
        Each tree's share of the step: -G H / (H**2 + v), where v is the variance of the noise in G
        over that of leaves (`LEAF_SPREAD`), that is the posterior mean of a leaf for a normal
        prior.
    """
    weight = np.maximum(hessians, 0.0)
    mean = gradients.sum() / max(weight.sum(), LEAST_WEIGHT)
    doubt = (noise / LEAF_SPREAD) ** 2 + LEAST_WEIGHT**2
    apart = (gradients - mean * weight) * weight / (weight**2 + doubt)
    step = -(learning_rate * apart + _shrunk_mean(mean, weight, noise)) / TREES_PER_ROUND
    values: NDArray[np.float32] = step.astype(np.float32).reshape(TREES_PER_ROUND, 2**DEPTH)
    return values


def _shrunk_mean(mean: float, weight: Floats, noise: float) -> float:
    """Shrink the mean of all rows by its noise, which is that of all leaves."""
    total = weight.sum()
    doubt = weight.size * (noise / LEAF_SPREAD) ** 2
    return float(mean * total**2 / (total**2 + doubt + LEAST_WEIGHT**2))
