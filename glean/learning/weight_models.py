"""The demand's models of weights, for `fedavg`: a small neural network's or a linear model's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glean.errors import ModelError
from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix
from glean.learning import neural, poisson
from glean.learning.model_weights import Weights
from glean.learning.scaling import input_count, scaled_inputs

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

KINDS = ("neural", "poisson")


def read_weights(content: bytes) -> Weights:
    """Read a file of weights that may come from anyone.

    Raises
    ------
    ModelError
        As `Weights.from_npz`, or the features inside aren't those of this version.
    """
    return Weights.from_npz(content, shapes_of=_shapes)


def definition_of_weights(weights: Weights) -> FeatureDefinition:
    """Read the feature definition inside a model.

    Raises
    ------
    ModelError
        There is none that this version of Glean can make.
    """
    return FeatureDefinition.from_json(weights.spec)


def initial_weights(kind: str, definition: FeatureDefinition, *, seed: int) -> Weights:
    """Make the weights before the first round; they forecast about the level.

    Parameters
    ----------
    kind : str
        "neural" or "poisson".
    definition : FeatureDefinition
        What the inputs are made of.
    seed : int
        Seed of the draw; "poisson" draws nothing.
    """
    _check_kind(kind)
    inputs = input_count(definition)
    arrays = neural.initial(inputs, seed=seed) if kind == "neural" else poisson.initial(inputs)
    return Weights(kind, definition.to_json(), arrays)


def fit_round(
    kind: str, weights: Weights, features: FeatureMatrix, *, learning_rate: float, seed: int
) -> Weights:
    """Train on one bakery's rows for one round: `neural.EPOCHS` passes or `poisson.STEPS` steps.

    Parameters
    ----------
    kind : str
        "neural" or "poisson".
    weights : Weights
        The global ones.
    features : FeatureMatrix
        Training rows; those with NaN `y` teach nothing.
    learning_rate : float
        Step size ("neural"), or share of the way to go ("poisson").
    seed : int
        Seed of the order of rows, another one in every round.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    _same_kind(kind, weights)
    known = features.rows(np.isfinite(features.y))
    if len(known) == 0:
        return weights
    inputs = scaled_inputs(known.x, definition_of_weights(weights))
    weight = known.weight / known.weight.mean()
    # Threads would split the sums otherwise on another machine, and round them otherwise.
    with threadpool_limits(1):
        if kind == "neural":
            arrays = neural.fit(
                weights.arrays, inputs, known.y, weight, learning_rate=learning_rate, seed=seed
            )
        else:
            arrays = poisson.fit(
                weights.arrays, inputs, known.y, weight, learning_rate=learning_rate
            )
    return Weights(kind, weights.spec, arrays)


def predict_weights(kind: str, weights: Weights, x: Singles) -> Floats:
    """Forecast units / level, float64 of shape (rows,), for `x` of shape (rows, columns)."""
    _same_kind(kind, weights)
    inputs = scaled_inputs(x, definition_of_weights(weights))
    if kind == "neural":
        return neural.predict(weights.arrays, inputs)
    return poisson.predict(weights.arrays, inputs)


def _shapes(kind: str, spec: str) -> dict[str, tuple[int, ...]]:
    _check_kind(kind)
    definition = FeatureDefinition.from_json(spec)
    shapes = neural.shapes if kind == "neural" else poisson.shapes
    return shapes(input_count(definition))


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise ModelError(f"found weights of kind {kind!r:.40}; wanted one of {', '.join(KINDS)}")


def _same_kind(kind: str, weights: Weights) -> None:
    if weights.kind != kind:
        raise ModelError(f"found weights of kind {weights.kind!r}; wanted {kind!r}")
