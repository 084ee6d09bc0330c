"""A bakery's work on averaged weights: score them, train them further on its rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glean.aggregation import fedavg
from glean.features.matrix import FeatureMatrix
from glean.federation.wire.messages import Task
from glean.federation.wire.sum_request import SumRequest
from glean.learning.model_weights import Weights, fit_round, predict_weights

Floats = NDArray[np.float64]
Words = NDArray[np.int64]


class WeightTrainer:
    """Works on one bakery's rows.

    Parameters
    ----------
    training, validation : FeatureMatrix
        Its rows by window.
    kind : str
        "neural" or "poisson".
    """

    device_used = "cpu"

    def __init__(self, training: FeatureMatrix, validation: FeatureMatrix, *, kind: str) -> None:
        self._training = training
        self._validation = validation
        self._kind = kind

    def train(self, task: Task, orders: SumRequest, *, weight: float, seed: int) -> Words:
        """Train the task's weights on this bakery's rows; its summand, with `say` in mean rows."""
        weights = Weights.from_npz(task.model)
        fitted = fit_round(
            self._kind, weights, self._training, learning_rate=task.learning_rate, seed=seed
        )
        return fedavg.encoded(fitted, weight=weight, rows=orders.rows)

    def length(self, task: Task) -> int:
        """Length of what `train` gives."""
        return fedavg.encoded_length(Weights.from_npz(task.model))

    def forecast(self, task: Task) -> Floats:
        """Forecast the validation rows relative to their level."""
        return predict_weights(self._kind, Weights.from_npz(task.model), self._validation.x)
