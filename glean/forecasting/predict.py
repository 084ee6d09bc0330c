"""A model and a bakery's rows become a forecast in units."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from glean.errors import ModelError
from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix
from glean.learning.booster import predict
from glean.learning.forest import Forest
from glean.learning.model_weights import Weights, is_npz
from glean.learning.weight_models import definition_of_weights, predict_weights, read_weights

Floats = NDArray[np.float64]
Model = Forest | Weights


@lru_cache(maxsize=2)
def read_model(content: bytes) -> Model:
    """Read a model file: XGBoost's, or the weights that `fedavg` leaves.

    The last ones are kept, since in one process all bakeries are sent the same final model.

    Raises
    ------
    ModelError
        The bytes are no model that Glean made.
    """
    if is_npz(content):
        return read_weights(content)
    return Forest.from_bytes(content)


def definition_of(model: Model) -> FeatureDefinition:
    """Read the feature definition inside a model.

    Raises
    ------
    ModelError
        There is none that this version of Glean can make.
    """
    return model.definition if isinstance(model, Forest) else definition_of_weights(model)


def forecast_units(model: Model, features: FeatureMatrix) -> Floats:
    """Forecast every row, units; never below zero.

    Parameters
    ----------
    model : Forest or Weights
        The federation's model.
    features : FeatureMatrix
        n rows with the model's features.

    Returns
    -------
    float64 array of shape (n,)
        Units (or money, as the table has it).

    Raises
    ------
    ModelError
        The rows have other features than the model learned from.
    """
    wanted = definition_of(model).identity
    if features.definition.identity != wanted:
        raise ModelError(
            f"the rows have features {features.definition.identity[:12]}; the model {wanted[:12]}"
        )
    relative = (
        predict(model, features.x)
        if isinstance(model, Forest)
        else predict_weights(model.kind, model, features.x)
    )
    return np.maximum(relative * features.level, 0.0)
