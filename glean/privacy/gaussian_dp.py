"""How much privacy Gaussian noise gives, and how much noise an epsilon wants.

A release whose noise has standard deviation s for a sensitivity of 1 is mu-Gaussian-DP with mu =
1/s (Dong, Roth, Su, "Gaussian differential privacy", JRSS B 2022). Releases compose exactly: their
squares add up. What mu means as (epsilon, delta) is a closed form as well (Balle and Wang, ICML
2018, theorem 8), so that nothing is lost on the way as it is by Renyi or concentrated DP.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache

_STEPS = 200
"""Halvings of an interval; more than a float64 can tell apart."""

_LARGEST_MU = 100.0
"""Beyond it delta is 1 for every epsilon that a run may ask for."""

_LARGEST_EPSILON = 1e7


def composed(mus: Iterable[float]) -> float:
    """Give the mu of several releases about the same records.

    Examples
    --------
    >>> composed([3.0, 4.0])
    5.0
    """
    return math.hypot(*mus)


def delta_of(mu: float, epsilon: float) -> float:
    """Give the least delta for which a mu-Gaussian-DP release is (epsilon, delta)-DP.

    Parameters
    ----------
    mu : float
        Above 0.
    epsilon : float
        At least 0.

    Examples
    --------
    >>> round(delta_of(1.0, 1.0), 6)
    0.126937
    """
    gone = _normal_tail(epsilon / mu - mu / 2)
    other = epsilon + _log_normal_tail(epsilon / mu + mu / 2)
    return max(0.0, gone - math.exp(min(other, 0.0)))


def epsilon_of(mu: float, delta: float) -> float:
    """Give the least epsilon for which a mu-Gaussian-DP release is (epsilon, delta)-DP.

    Examples
    --------
    >>> round(epsilon_of(mu_of(4.0, 1e-6), 1e-6), 6)
    4.0
    """
    if mu == 0.0:
        return 0.0
    low, high = 0.0, _LARGEST_EPSILON
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if delta_of(mu, middle) > delta else (low, middle)
    return high


@lru_cache(maxsize=64)
def mu_of(epsilon: float, delta: float) -> float:
    """Give the largest mu that is (epsilon, delta)-DP: what all releases of a run may add up to.

    Parameters
    ----------
    epsilon, delta : float
        Above 0; delta below 1.
    """
    low, high = 0.0, _LARGEST_MU
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if delta_of(middle, epsilon) <= delta else (low, middle)
    return low


def _normal_tail(x: float) -> float:
    """Probability that a standard normal variable is above x."""
    return math.erfc(x / math.sqrt(2.0)) / 2


def _log_normal_tail(x: float) -> float:
    """Its logarithm, also where the probability is too small for a float64."""
    tail = _normal_tail(x)
    if tail > 1e-300:
        return math.log(tail)
    # The first terms of the asymptotic series; x is above 37 here.
    return -x * x / 2 - math.log(x * math.sqrt(2 * math.pi)) + math.log1p(-1 / (x * x))
