"""Federated averaging: the weighted mean of the bakeries' weights (McMahan et al. 2017).

The mean comes from one sum of whole numbers, so that nobody has to see a summand: each bakery sends
its weights times its aggregation weight, rounded to fixed point, and that weight. Without the last,
what training changed can be summed up and divided by the weight that all had together (the fixed
denominator of McMahan et al. 2018): so who is missing takes no step, and its weight isn't told.
"""

from __future__ import annotations

import logging
import math

import numpy as np
from numpy.typing import NDArray

from glean.errors import ModelError
from glean.learning.model_weights import LARGEST_WEIGHT, Weights

LOG = logging.getLogger("glean")

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
        Its training weight in mean rows of the federation, up to twice the rows.
    rows : int
        Training rows of the federation: the weights of all bakeries add up to about as many.

    Returns
    -------
    int64 array of shape (encoded_length,)
        Weights beyond what is sane are cut, and such that are no number zero, as the log says. It
        is no error: whoever chooses the rows and the learning rate could read from it.
    """
    flat = np.concatenate([values.ravel() for values in weights.arrays.values()])
    if not ((np.abs(flat) <= LARGEST_WEIGHT).all() and weight <= 2 * rows):
        LOG.warning(
            "found weights beyond %g after training, or a training weight of %.6g mean rows of %d "
            "in all. They are cut; wanted a smaller learning-rate, or the rows of all",
            LARGEST_WEIGHT,
            weight,
            rows,
        )
        flat = np.clip(np.nan_to_num(flat), -LARGEST_WEIGHT, LARGEST_WEIGHT)
        weight = min(weight, 2.0 * rows)
    summand = np.append(flat.astype(np.float64) * weight, weight)
    rounded: Encoded = np.rint(np.ldexp(summand, _bits(rows))).astype(np.int64)
    return rounded


def encoded_steps(after: Weights, before: Weights, *, weight: float, rows: int) -> Encoded:
    """Write what training changed as a summand, shape (encoded_length - 1,).

    Parameters
    ----------
    after, before : Weights
        After training, and the global ones that it began with.
    weight, rows
        As for `encoded`.
    """
    found = encoded(after, weight=weight, rows=rows) - encoded(before, weight=weight, rows=rows)
    steps: Encoded = found[:-1]
    return steps


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
    return weights_at(values[:-1] / values[-1], like)


def stepped(total: Encoded, *, like: Weights, rows: int) -> Weights:
    """Go a step on from the global weights, by the sum of some bakeries' `encoded_steps`.

    Parameters
    ----------
    total : int64 array of shape (encoded_length - 1,)
        The sum.
    like : Weights
        The global weights so far.
    rows : int
        As for `encoded`; the weight of all bakeries, those that are missing with them.

    Raises
    ------
    ModelError
        The result isn't one of sane weights.
    """
    held = np.concatenate([values.ravel() for values in like.arrays.values()])
    return weights_at(held + np.ldexp(total.astype(np.float64), -_bits(rows)) / rows, like)


def weights_at(values: NDArray[np.float64], like: Weights) -> Weights:
    """Read weights one after the other, of the shapes of others.

    Raises
    ------
    ModelError
        They aren't sane.
    """
    flat = values.astype(np.float32)
    if not (np.abs(flat) <= LARGEST_WEIGHT).all():
        raise ModelError("the mean of the weights isn't sane: a contributor's vector was damaged")
    arrays, start = {}, 0
    for name, held in like.arrays.items():
        arrays[name] = flat[start : start + held.size].reshape(held.shape)
        start += held.size
    return Weights(like.kind, like.spec, arrays)


def total_weight(total: Encoded, *, rows: int) -> float:
    """Read what all bakeries weigh together, in mean rows, from the sum of their summands."""
    return math.ldexp(float(total[-1]), -_bits(rows))


def _bits(rows: int) -> int:
    """Binary places such that weights of `LARGEST_WEIGHT` times twice the rows can't wrap."""
    return _RING_BITS - math.ceil(math.log2(2 * LARGEST_WEIGHT * rows))
