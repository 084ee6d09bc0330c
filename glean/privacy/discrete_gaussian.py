"""Whole numbers with a discrete Gaussian distribution, from the operating system's randomness.

The sampler is that of Canonne, Kamath and Steinke, "The discrete Gaussian for differential privacy"
(NeurIPS 2020, algorithms 1 to 3), on arrays: a discrete Laplace variable is proposed and accepted
with the right probability. A comparison of a uniform with a probability is made on 64 bits, and
where these can't decide it, on as many more as it takes: no probability is rounded.

Noise in parts: the sum of discrete Gaussians is only nearly one. How nearly, `divergence_of_sum`
bounds.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]
Words = NDArray[np.uint64]
Mask = NDArray[np.bool_]
RandomBytes = Callable[[int], bytes]

LARGEST_SIGMA = 2**40
"""Standard deviations beyond it aren't drawn, so that a sum of noise stays far from the ring's
end."""

_DECIDED = 2.0**-44
"""Farther than this from a probability a 64-bit uniform decides; rounding errors are below
2**-46."""

_DIGITS = 80
_MORE_BITS = 192
"""Further bits where 64 can't decide; two of those would be equal once in 2**192 draws."""


def sample(sigma: int, size: int, *, random_bytes: RandomBytes = secrets.token_bytes) -> Whole:
    """Draw from the discrete Gaussian: the probability of x goes as exp(-x**2 / (2 sigma**2)).

    Parameters
    ----------
    sigma : int
        Above 0, at most `LARGEST_SIGMA`; the standard deviation, in units of 1.
    size : int
        How many.
    random_bytes : callable
        Where randomness comes from; another than the operating system's is for tests only.

    Returns
    -------
    int64 array of shape (size,)
    """
    assert 0 < sigma <= LARGEST_SIGMA, f"sigma: found {sigma}; wanted 1 to {LARGEST_SIGMA}"
    source = _Source(random_bytes)
    found = np.empty(size, dtype=np.int64)
    missing = np.arange(size)
    while len(missing):
        proposed, fits = _proposed(source, sigma, len(missing))
        found[missing[fits]] = proposed[fits]
        missing = missing[~fits]
    return found


def divergence_of_sum(sigma: float, parties: int) -> float:
    """Bound how far the sum of discrete Gaussians is from one discrete Gaussian.

    Kairouz, Liu and Steinke, "The distributed discrete Gaussian mechanism for federated learning
    with secure aggregation" (ICML 2021), their tau: the logarithm of the ratio of both
    probabilities, of any number, is at most this.

    Parameters
    ----------
    sigma : float
        Standard deviation of each party's part.
    parties : int
        How many parts.
    """
    exponents = (-2 * (math.pi * sigma) ** 2 * k / (k + 1) for k in range(1, parties))
    return 10 * math.fsum(math.exp(exponent) for exponent in exponents)


class _Source:
    """Uniform words, and events of probability exp(-x), exactly."""

    def __init__(self, random_bytes: RandomBytes) -> None:
        self._random_bytes = random_bytes

    def uint64s(self, size: int) -> Words:
        """Draw 64-bit words, uniform."""
        return np.frombuffer(self._random_bytes(8 * size), dtype="<u8")

    def happens(self, exponents: NDArray[np.float64], exactly: Callable[[int], Fraction]) -> Mask:
        """Draw events of probability exp(-x).

        Parameters
        ----------
        exponents : float64 array of shape (n,)
            Each x, at least 0, to the rounding error of a few operations.
        exactly : callable
            Gives x at a position without any error.
        """
        words = self.uint64s(len(exponents))
        distance = words * 2.0**-64 - np.exp(-exponents)
        happens = distance < 0
        for position in np.flatnonzero(np.abs(distance) < _DECIDED).tolist():
            happens[position] = self._decided(int(words[position]), exactly(position))
        return happens

    def _decided(self, word: int, exponent: Fraction) -> bool:
        """Compare a uniform, of which the first 64 bits are there, with exp(-exponent)."""
        more = int.from_bytes(self._random_bytes(_MORE_BITS // 8), "little")
        uniform = Fraction(word << _MORE_BITS | more, 1 << (64 + _MORE_BITS))
        with localcontext(prec=_DIGITS):
            power = Decimal(-exponent.numerator) / Decimal(exponent.denominator)
            return uniform < Fraction(power.exp())


def _proposed(source: _Source, sigma: int, size: int) -> tuple[Whole, Mask]:
    """Draw discrete Laplace variables, and whether each is kept as a discrete Gaussian one."""
    # Any scale serves; with a power of two a uniform below it is made of bits.
    scale = 1 << (sigma.bit_length() - 1)
    drawn, fits = _laplace(source, scale, size)
    square = sigma * sigma
    distance = np.abs(drawn) - square / scale

    def exactly(position: int) -> Fraction:
        away = abs(int(drawn[position])) - Fraction(square, scale)
        return away * away / (2 * square)

    return drawn, fits & source.happens((distance / sigma) ** 2 / 2, exactly)


def _laplace(source: _Source, scale: int, size: int) -> tuple[Whole, Mask]:
    """Draw discrete Laplace variables of scale 2**k; those that aren't marked are to be redrawn."""
    below = (source.uint64s(size) & np.uint64(scale - 1)).astype(np.int64)
    fits = source.happens(below / scale, lambda position: Fraction(int(below[position]), scale))
    size_of = below + scale * _geometric(source, size)
    negative = (source.uint64s(size) & np.uint64(1)).astype(bool)
    fits &= ~(negative & (size_of == 0))
    return np.where(negative, -size_of, size_of), fits


def _geometric(source: _Source, size: int) -> Whole:
    """Count how often in a row an event of probability exp(-1) happens."""
    counts = np.zeros(size, dtype=np.int64)
    going = np.arange(size)
    while len(going):
        going = going[source.happens(np.ones(len(going)), lambda _: Fraction(1))]
        counts[going] += 1
    return counts
