"""Sums of groups become one that few of them can't move: the coordinate-wise median.

Each group adds up its own members' numbers, and the sum over all is estimated by the median of the
groups' means (Yin, Chen, Ramchandran and Bartlett, "Byzantine-robust distributed learning", ICML
2018, definition 1). As long as fewer than half of the groups hold a liar, each coordinate lies
between those of honest groups, whatever the liars send.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]

OFF = 6.0
"""Robust deviations from the median by which a group is off, in most coordinates. Half of a normal
distribution is within 0.7, and honest groups of synthetic-40 are within 1.4 in most."""

OFF_NOISE = 2.0
"""Standard deviations of the noise in its mean by which a group with noise is off, in most
coordinates. Noise alone makes 0.7. Before the test windows honest groups of synthetic-40,
unrelated-40 and restaurants-100 are within 0.72 at the default epsilon, and within 1.0 where three
of seven pull each median as far as honest groups let them."""

_USUAL = 1.4826
"""A normal deviation in median absolute deviations."""

_LARGEST = 2.0**62
"""What a sum is held to, so that it is a whole number of the ring."""


def median_sums(sums: Floats | Whole, sizes: Floats, *, size: float) -> Floats:
    """Estimate the sum over all from those of groups.

    Parameters
    ----------
    sums : array of shape (groups, n)
        Of each group.
    sizes : float64 array of shape (groups,)
        What each is relative to, as the number of its members; above zero.
    size : float
        The same of all together.

    Returns
    -------
    float64 array of shape (n,)
        Size times the median of the groups' means, in each coordinate.
    """
    found: Floats = np.median(sums / sizes[:, None], axis=0) * size
    return found


def median_sum(sums: Whole, sizes: Floats, *, size: float) -> Whole:
    """Estimate a sum of whole numbers as `median_sums` does.

    Returns
    -------
    int64 array of shape (n,)

    Examples
    --------
    >>> sums = np.array([[10, 2], [12, 2], [-(10**9), 10**9]])
    >>> median_sum(sums, np.full(3, 2.0), size=6.0)
    array([30,  6])
    """
    found = median_sums(sums, sizes, size=size)
    whole: Whole = np.rint(np.clip(found, -_LARGEST, _LARGEST)).astype(np.int64)
    return whole


def median_noise(deviations: Floats, sizes: Floats, *, size: float) -> float:
    """Give the standard deviation of normal noise in `median_sum`.

    Parameters
    ----------
    deviations : float64 array of shape (groups,)
        Of the noise in each group's sum.
    sizes, size
        As for `median_sum`.

    Returns
    -------
    float
        That of a mean, times the square root of pi / 2 (the median's efficiency, Kenney and
        Keeping, "Mathematics of statistics", part 2, 1951, section 7.9); with few groups it is a
        little less.
    """
    mean = math.sqrt(float(((deviations / sizes) ** 2).mean()) / len(sizes))
    return size * mean * math.sqrt(math.pi / 2.0)


def off_groups(
    sums: Floats | Whole, sizes: Floats, noise: Floats | None = None
) -> NDArray[np.bool_]:
    """Tell the groups that are farther from the median than chance makes, in most coordinates.

    Parameters
    ----------
    sums, sizes
        As for `median_sums`.
    noise : float64 array of shape (groups,), optional
        Standard deviation of the noise in each group's sum, above zero, where that is known.

    Returns
    -------
    bool array of shape (groups,)
        Fewer than half are. A coordinate counts where the groups differ in it.

    Examples
    --------
    >>> sums = np.array([[10, 2], [12, 3], [11, 1], [-900, 800]])
    >>> off_groups(sums, np.full(4, 2.0))
    array([False, False, False,  True])
    """
    means = sums / sizes[:, None]
    apart = np.abs(means - np.median(means, axis=0))
    usual = np.median(apart, axis=0)
    differ = usual > 0
    if not differ.any():
        return np.zeros(len(sums), dtype=np.bool_)
    off: NDArray[np.bool_] = np.median(apart[:, differ] / usual[differ], axis=1) > OFF * _USUAL
    return off if noise is None else off | _beyond_noise(apart, noise / sizes)


def _beyond_noise(apart: Floats, noise: Floats) -> NDArray[np.bool_]:
    """Tell groups that noise doesn't explain, nor what honest groups differ by beside it.

    Noise has the same size in all, so that liars can't make honest groups look off by being near
    to the median, as they could where groups are measured by one another in each coordinate.
    """
    found = np.median(apart / noise[:, None], axis=1)
    of_most = np.sort(found)[len(found) // 2]  # at least one honest group's, or more
    off: NDArray[np.bool_] = found > OFF_NOISE * max(1.0, float(of_most))
    return off
