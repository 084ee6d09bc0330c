"""Pictures from the update of a logistic regression, by solving for them.

The gradient of the weights is the mean over pictures of (probability - 1 for the true class) times
the picture, that of the biases the mean of the factor alone. Of one picture the former divided by
the latter is the picture (Geiping et al. 2020, proposition 3.1). Of several, with the factors
known, pictures solve linear equations; factors follow from pictures, so both are found in turn.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from glean.images.image_spec import ImageSpec
from glean.learning.model_weights import Weights

Floats = NDArray[np.float64]

_TURNS = 30
_SMALLEST = 1e-2
"""Singular values below it, of the largest, are left out: pictures of one class are told apart
only by probabilities that hardly differ."""


def is_linear(weights: Weights) -> bool:
    """Tell whether a network is one layer on the pixels."""
    spec = ImageSpec.from_json(weights.spec)
    shapes = sorted(values.shape for values in weights.arrays.values())
    count = len(spec.classes)
    return shapes == [(count,), (count, spec.channels * spec.size**2)]


def inverted(
    weights: Weights, update: Mapping[str, NDArray[np.float32]], labels: NDArray[np.int64]
) -> Floats:
    """Solve for the pictures behind an update; brightness, (pictures, height, width, channels).

    Parameters
    ----------
    weights : Weights
        What the round began with.
    update : mapping of str to float32 array
        Weights after minus before; the biases say its length in steps.
    labels : int64 array of shape (pictures,)
        Their classes.
    """
    spec = ImageSpec.from_json(weights.spec)
    (slope, bias), (slope_step, bias_step) = _parts(weights.arrays), _parts(update)
    true = np.eye(len(spec.classes))[labels]
    low, high = (0.0 - spec.mean) / spec.std, (1.0 - spec.mean) / spec.std
    pictures = np.full((len(labels), slope.shape[1]), 0.5 * (low + high))
    for _ in range(_TURNS):
        factors = _probabilities(pictures @ slope.T + bias) - true
        expected = factors.mean(axis=0)
        length = -(bias_step @ expected) / (expected @ expected)
        gradient = -slope_step / (length if abs(length) > 1e-12 else 1e-12)
        solved = np.linalg.pinv(factors.T / len(labels), rcond=_SMALLEST) @ gradient
        pictures = solved.clip(low, high)
    side = (len(labels), spec.channels, spec.size, spec.size)
    return (pictures.reshape(side) * spec.std + spec.mean).transpose(0, 2, 3, 1)


def _parts(arrays: Mapping[str, NDArray[np.float32]]) -> tuple[Floats, Floats]:
    by_rank = {values.ndim: values.astype(np.float64) for values in arrays.values()}
    return by_rank[2], by_rank[1]


def _probabilities(scores: Floats) -> Floats:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Floats = raised / raised.sum(axis=1, keepdims=True)
    return shares
