"""Optimisers at the server: the mean of what clients changed is taken for a gradient.

FedAdam and FedYogi are those of Reddi et al. 2021, "Adaptive federated optimization" (algorithm 2,
without its weights by rows, which the mean has), FedAvgM is that of Hsu et al. 2019. Each is a pure
function of the weights so far, of the mean and of moments that go from round to round as bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glean.errors import ModelError
from glean.learning.model_weights import LARGEST_WEIGHT, Weights

Floats = NDArray[np.float64]

FIRST_DECAY, SECOND_DECAY = 0.9, 0.99
"""Shares of the moments that a round keeps (Reddi et al. 2021, section 5)."""

ADAPTIVITY = 1e-3
"""Added to the root of the second moment; the paper's tau, which it found to serve most tasks."""


@dataclass(frozen=True, eq=False)
class Moments:
    """What an optimiser remembers.

    Parameters
    ----------
    first, second : float64 array of shape (weights,)
        Means of past changes, and of their squares; they begin with zeros and with the square of
        `ADAPTIVITY`.
    """

    first: Floats
    second: Floats

    def to_bytes(self) -> bytes:
        """Write them for a checkpoint."""
        return np.stack([self.first, self.second]).astype("<f8").tobytes()

    @classmethod
    def from_bytes(cls, content: bytes, count: int) -> Moments:
        """Read moments of so many weights.

        Raises
        ------
        ModelError
            There aren't as many, or one isn't finite.
        """
        if len(content) != 2 * 8 * count:
            raise ModelError(
                f"found {len(content)} bytes as the server optimiser's moments; wanted "
                f"{2 * 8 * count}, of the run's own network"
            )
        first, second = np.frombuffer(content, dtype="<f8").reshape(2, count)
        if not (np.isfinite(first).all() and (second >= 0).all() and np.isfinite(second).all()):
            raise ModelError("the server optimiser's moments are damaged")
        return cls(first, second)


def first_moments(weights: Weights) -> Moments:
    """Make the moments before the first round."""
    count = len(flat(weights))
    return Moments(np.zeros(count), np.full(count, ADAPTIVITY**2))


def adam(change: Floats, moments: Moments) -> tuple[Floats, Moments]:
    """Step of FedAdam: by the root of the mean square."""
    second = SECOND_DECAY * moments.second + (1.0 - SECOND_DECAY) * change**2
    return _adaptive(change, moments, second)


def yogi(change: Floats, moments: Moments) -> tuple[Floats, Moments]:
    """Step of FedYogi: its mean square falls by as much as it grows, however large it is."""
    square = change**2
    second = moments.second - (1.0 - SECOND_DECAY) * square * np.sign(moments.second - square)
    return _adaptive(change, moments, second)


def momentum(change: Floats, moments: Moments) -> tuple[Floats, Moments]:
    """Step of FedAvgM: what changed, and a share of the last step."""
    first = FIRST_DECAY * moments.first + change
    return first, Moments(first, moments.second)


@dataclass(frozen=True)
class ServerOptimizer:
    """An optimiser and the step size that it takes where a run is told none.

    Parameters
    ----------
    step : callable
        Change and moments -> direction and moments.
    learning_rate : float
        Of the paper's grid what did best on validation pictures of `docs/images.md`.
    """

    step: Callable[[Floats, Moments], tuple[Floats, Moments]]
    learning_rate: float


OPTIMIZERS = {
    "adam": ServerOptimizer(adam, 0.01),
    "yogi": ServerOptimizer(yogi, 0.01),
    "momentum": ServerOptimizer(momentum, 0.3),
}


def stepped(
    name: str, before: Weights, mean: Weights, moments: Moments, *, learning_rate: float
) -> tuple[Weights, Moments]:
    """Go from the weights so far towards the clients' mean, as the optimiser of a name goes.

    Parameters
    ----------
    name : str
        Of `OPTIMIZERS`.
    before, mean : Weights
        That the round began with, and that it came to on average.
    moments : Moments
        From the round before.
    learning_rate : float
        The server's; 0: the optimiser's own.

    Raises
    ------
    ModelError
        The step leads beyond sane weights: the learning rate is too large.
    """
    optimizer, held = OPTIMIZERS[name], flat(before)
    direction, moments = optimizer.step(flat(mean) - held, moments)
    found = held + (learning_rate or optimizer.learning_rate) * direction
    if not (np.abs(found) <= LARGEST_WEIGHT).all():
        raise ModelError(
            f"server-learning-rate: the step of {name!r} leads to weights beyond "
            f"{LARGEST_WEIGHT:g}; wanted a smaller one"
        )
    arrays, start = {}, 0
    for key, values in before.arrays.items():
        arrays[key] = found[start : start + values.size].reshape(values.shape).astype(np.float32)
        start += values.size
    return Weights(before.kind, before.spec, arrays), moments


def flat(weights: Weights) -> Floats:
    """Give all weights one after the other."""
    return np.concatenate([values.ravel() for values in weights.arrays.values()]).astype(np.float64)


def _adaptive(change: Floats, moments: Moments, second: Floats) -> tuple[Floats, Moments]:
    first = FIRST_DECAY * moments.first + (1.0 - FIRST_DECAY) * change
    return first / (np.sqrt(second) + ADAPTIVITY), Moments(first, second)
