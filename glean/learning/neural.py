"""A small neural network whose weights can be averaged: scikit-learn's, trained by partial_fit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from glean.errors import ModelError
from glean.installed_packages import check_installed

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

HIDDEN = (32, 16)
"""Neurons of the hidden layers."""

EPOCHS = 2
"""Passes over a bakery's rows in a round."""

BATCH_ROWS = 32

LARGEST_TARGET = 5.0
"""Days that sold more than this many times the level count as this: one day in a batch could
otherwise throw the whole network off."""

_DECAY = 1e-4


def shapes(inputs: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of each array of weights, for a number of inputs."""
    sizes = (inputs, *HIDDEN, 1)
    coefs = {f"coef_{k}": sizes[k : k + 2] for k in range(len(sizes) - 1)}
    return coefs | {f"intercept_{k}": (sizes[k + 1],) for k in range(len(sizes) - 1)}


def initial(inputs: int, *, seed: int) -> dict[str, Singles]:
    """Draw weights (Glorot and Bengio 2010, uniform) that forecast about the level.

    All bakeries start from the same draw, since only then can weights be averaged neuron by neuron.
    """
    rng = np.random.default_rng(seed)
    drawn = {}
    for name, shape in shapes(inputs).items():
        bound = np.sqrt(2.0 / sum(shape)) if len(shape) == 2 else 0.0
        drawn[name] = rng.uniform(-bound, bound, shape).astype(np.float32)
    last = len(HIDDEN)
    drawn[f"coef_{last}"] *= np.float32(0.1)
    drawn[f"intercept_{last}"] += np.float32(1.0)
    return drawn


def fit(
    weights: Mapping[str, Singles],
    inputs: Singles,
    y: Singles,
    weight: Floats,
    *,
    learning_rate: float,
    seed: int,
) -> dict[str, Singles]:
    """Train for `EPOCHS` passes of stochastic gradient descent, from `weights` on.

    Plain gradient steps without momentum: nothing but the weights passes from round to round.

    Parameters
    ----------
    weights : mapping of str to float32 array
        Shaped by `shapes`.
    inputs : float32 array of shape (rows, inputs)
        From `scaled_inputs`, at least one row.
    y, weight : arrays of shape (rows,)
        Units / level, and each row's weight with mean 1.
    learning_rate : float
        Step size.
    seed : int
        Seed of the order of rows.

    Raises
    ------
    ModelError
        The steps were so large that the weights left all bounds.
    """
    check_installed("sklearn")
    from sklearn.neural_network import MLPRegressor

    network = MLPRegressor(
        hidden_layer_sizes=HIDDEN,
        solver="sgd",
        momentum=0.0,
        alpha=_DECAY,
        batch_size=1,
        learning_rate_init=learning_rate,
        random_state=seed,
    )
    # One made-up row lets scikit-learn lay out its arrays, which are then overwritten.
    network.partial_fit(inputs[:1], y[:1])
    network.set_params(batch_size=min(BATCH_ROWS, len(inputs)))
    arrays = _arrays(network.coefs_, network.intercepts_)
    for name, values in arrays.items():
        values[...] = weights[name]
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(EPOCHS):
                network.partial_fit(inputs, np.minimum(y, LARGEST_TARGET), sample_weight=weight)
    except ValueError as error:
        raise ModelError(
            f"training ran away at learning-rate {learning_rate}; take a smaller learning-rate"
        ) from error
    return {name: values.astype(np.float32) for name, values in arrays.items()}


def predict(weights: Mapping[str, Singles], inputs: Singles) -> Floats:
    """Forecast units / level, shape (rows,): layers of rectified sums, the last one plain."""
    values = inputs
    for layer in range(len(HIDDEN)):
        values = np.maximum(values @ weights[f"coef_{layer}"] + weights[f"intercept_{layer}"], 0.0)
    last = len(HIDDEN)
    out = values @ weights[f"coef_{last}"] + weights[f"intercept_{last}"]
    return out[:, 0].astype(np.float64)


def _arrays(coefs: list[Singles], intercepts: list[Singles]) -> dict[str, Singles]:
    named = {f"coef_{k}": values for k, values in enumerate(coefs)}
    return named | {f"intercept_{k}": values for k, values in enumerate(intercepts)}
