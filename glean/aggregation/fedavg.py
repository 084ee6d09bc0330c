"""Federated averaging: the weighted mean of the bakeries' weights (McMahan et al. 2017).

The mean comes from one sum of whole numbers, so that nobody has to see a summand: each bakery sends
its weights times its aggregation weight, rounded to fixed point, and that weight.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from glean.errors import ModelError
from glean.learning.model_weights import LARGEST_WEIGHT, Weights

Encoded = NDArray[np.int64]

_RING_BITS = 62
"""Sums keep away from the ring's end by a factor of two."""


def encoded_length(weights: Weights) -> int:
    """Length of the vector: all weights, and the bakery's aggregation weight."""
    return sum(values.size for values in weights.arrays.values()) + 1


def encoded(weights: Weights, *, weight: float, rows: int) -> Encoded:
    """Write a bakery's weights as its summand.

    Parameters
    ----------
    weights : Weights
        After training.
    weight : float
        Its training weight in mean rows of the federation, up to `rows`.
    rows : int
        Training rows of the federation: the weights of all bakeries add up to about as many.

    Returns
    -------
    int64 array of shape (encoded_length,)

    Raises
    ------
    ModelError
        A weight isn't finite or beyond what is sane.
    """
    flat = np.concatenate([values.ravel() for values in weights.arrays.values()])
    if not (np.abs(flat) <= LARGEST_WEIGHT).all():
        raise ModelError(
            f"found weights beyond {LARGEST_WEIGHT:g} after training; wanted a smaller "
            "learning-rate"
        )
    summand = np.append(flat.astype(np.float64) * weight, weight)
    rounded: Encoded = np.rint(np.ldexp(summand, _bits(rows))).astype(np.int64)
    return rounded


def mean(total: Encoded, *, like: Weights, rows: int) -> Weights:
    """Read the weighted mean from the sum of all bakeries' summands.

    Parameters
    ----------
    total : int64 array of shape (encoded_length,)
        The sum.
    like : Weights
        The global weights so far, whose names, kind and shapes the mean has.
    rows : int
        As for `encoded`.

    Raises
    ------
    ModelError
        No bakery had a weight, or the mean isn't one of sane weights.
    """
    values = np.ldexp(total.astype(np.float64), -_bits(rows))
    if values[-1] <= 0:
        raise ModelError(f"found {values[-1]:g} as the sum of all weights; wanted one above zero")
    flat = (values[:-1] / values[-1]).astype(np.float32)
    if not (np.abs(flat) <= LARGEST_WEIGHT).all():
        raise ModelError("the mean of the weights isn't sane: a bakery's vector was damaged")
    arrays, start = {}, 0
    for name, held in like.arrays.items():
        arrays[name] = flat[start : start + held.size].reshape(held.shape)
        start += held.size
    return Weights(like.kind, like.spec, arrays)


def _bits(rows: int) -> int:
    """Binary places such that weights of `LARGEST_WEIGHT` times twice the rows can't wrap."""
    return _RING_BITS - math.ceil(math.log2(2 * LARGEST_WEIGHT * rows))
