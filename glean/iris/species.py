"""A model of the irises, asked for species: what its rows and its answers mean."""

from __future__ import annotations

import numpy as np

from glean.classification import Floats
from glean.iris.workload import CENTRE, SPREAD, probabilities
from glean.learning.model_weights import Weights

SPECIES = ("setosa", "versicolor", "virginica")
"""By the number that scikit-learn gives them."""

LENGTHS = ("sepal_length_cm", "sepal_width_cm", "petal_length_cm", "petal_width_cm")
"""The columns, in scikit-learn's order."""


def classify(weights: Weights, lengths: Floats) -> Floats:
    """Give the probability of each species.

    Parameters
    ----------
    weights : Weights
        A run's model.
    lengths : float64 array of shape (n, 4)
        Columns as in `LENGTHS`, cm.

    Returns
    -------
    float64 array of shape (n, 3)
        Columns as in `SPECIES`.
    """
    held = {name: values.astype(np.float64) for name, values in weights.arrays.items()}
    return probabilities(held, (lengths - CENTRE) / SPREAD)
