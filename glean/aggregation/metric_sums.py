"""Sums of errors as whole numbers that can be added up under masks, and back.

Units are divided by the federation's mean level first, so that one public scale serves small and
large currencies alike.
"""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
from numpy.typing import NDArray

from glean.errors import FederationError
from glean.metrics import ErrorSums

Words = NDArray[np.int64]

SUMS_LENGTH = len(astuple(ErrorSums()))

LARGEST = 2.0**36
"""Bound on what one bakery adds to a sum: usual days, or their squares."""

_RING_BITS = 62
"""Sums keep away from the ring's end by a factor of two."""


def fraction_bits(num_clients: int) -> int:
    """Binary places of the fixed point, such that a sum over `num_clients` can't wrap."""
    return _RING_BITS - int(math.log2(LARGEST)) - math.ceil(math.log2(max(num_clients, 1)))


def encode(values: NDArray[np.float64], *, num_clients: int) -> Words:
    """Round values, shape (n,), to the fixed point.

    Raises
    ------
    FederationError
        One is beyond `LARGEST`.
    """
    if not (np.abs(values) <= LARGEST).all():
        raise FederationError(
            f"found a sum of {np.abs(values).max():.3g}; wanted at most {LARGEST:.3g}: count in "
            "larger units, say thousands"
        )
    return np.rint(np.ldexp(values, fraction_bits(num_clients))).astype(np.int64)


def decode(words: Words, *, num_clients: int) -> NDArray[np.float64]:
    """Give sums of words, shape (n,), their values back."""
    return np.ldexp(words.astype(np.float64), -fraction_bits(num_clients))


def encode_sums(sums: ErrorSums, *, unit_weight: float, num_clients: int) -> Words:
    """Write sums of errors as words, shape (SUMS_LENGTH,).

    Raises
    ------
    FederationError
        As `encode`.
    """
    return encode(np.array(astuple(sums)) / _scales(unit_weight), num_clients=num_clients)


def decode_sums(words: Words, *, unit_weight: float, num_clients: int) -> ErrorSums:
    """Read the sum of several bakeries' words."""
    return ErrorSums(*(decode(words, num_clients=num_clients) * _scales(unit_weight)).tolist())


def _scales(unit_weight: float) -> NDArray[np.float64]:
    in_units = ErrorSums(1.0, unit_weight, unit_weight, unit_weight, unit_weight**2, 1.0, 1.0)
    return np.array(astuple(in_units))
