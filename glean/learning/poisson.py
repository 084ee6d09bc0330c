"""A linear Poisson model whose coefficients can be averaged: scikit-learn's, started warm.

The logarithm of units / level is a weighted sum of the inputs.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from glean.installed_packages import check_installed

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

STEPS = 5
"""L-BFGS steps on a bakery's rows in a round."""

_PENALTY = 1e-3
_LARGEST_LOG = 20.0


def shapes(inputs: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of each array of weights, for a number of inputs."""
    return {"coef": (inputs,), "intercept": (1,)}


def initial(inputs: int) -> dict[str, Singles]:
    """Coefficients of zero: the model forecasts the level."""
    return {name: np.zeros(shape, dtype=np.float32) for name, shape in shapes(inputs).items()}


def fit(
    weights: Mapping[str, Singles],
    inputs: Singles,
    y: Singles,
    weight: Floats,
    *,
    learning_rate: float,
) -> dict[str, Singles]:
    """Go part of the way to where `STEPS` steps of L-BFGS lead from `weights`.

    Parameters
    ----------
    weights : mapping of str to float32 array
        Shaped by `shapes`.
    inputs : float32 array of shape (rows, inputs)
        From `scaled_inputs`, at least one row.
    y, weight : arrays of shape (rows,)
        Units / level, and each row's weight.
    learning_rate : float
        Share of the way that is gone, up to 1.
    """
    check_installed("sklearn")
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import PoissonRegressor

    model = PoissonRegressor(alpha=_PENALTY, max_iter=STEPS, warm_start=True)
    model.coef_ = weights["coef"].astype(np.float64)
    model.intercept_ = float(weights["intercept"][0])
    with warnings.catch_warnings():
        # A round ends before the fit does, on purpose.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(inputs.astype(np.float64), y, sample_weight=weight)
    fitted = {"coef": model.coef_, "intercept": np.array([model.intercept_])}
    return {
        name: (old + learning_rate * (fitted[name] - old)).astype(np.float32)
        for name, old in weights.items()
    }


def predict(weights: Mapping[str, Singles], inputs: Singles) -> Floats:
    """Forecast units / level, shape (rows,)."""
    log = inputs.astype(np.float64) @ weights["coef"] + weights["intercept"][0]
    relative: Floats = np.exp(np.minimum(log, _LARGEST_LOG))
    return relative
