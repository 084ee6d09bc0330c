"""A bakery's work on averaged weights: forecast with them, train them further on its rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glean.demand.binned_windows import Rows
from glean.demand.error_parts import error_part, error_part_length, training_totals
from glean.federation.wire.sum_messages import SumTask
from glean.federation.wire.sum_request import QUANTISED_STEPS, WEIGHT_STEPS, WEIGHTS, SumRequest
from glean.federation.workload import weight_trainer
from glean.learning.model_weights import Weights
from glean.learning.weight_models import fit_round, predict_weights, read_weights
from glean.metrics import ErrorSums, Floats
from glean.privacy.privacy_ledger import Days

Encoded = NDArray[np.int64]


class WeightTrainer(weight_trainer.WeightTrainer):
    """Works on one bakery's rows.

    Parameters
    ----------
    training, validation : callable
        Give its rows by window.
    kind : str
        "neural" or "poisson".
    """

    def __init__(self, training: Rows, validation: Rows, *, kind: str) -> None:
        super().__init__()
        self._training = training
        self._validation = validation
        self._kind = kind
        self._totals: tuple[int, float] | None = None

    def totals(self) -> tuple[int, float]:
        """Give the number of rows to learn from and the sum of their weights."""
        if self._totals is None:
            self._totals = training_totals(self._training())
        return self._totals

    def read(self, content: bytes) -> Weights:
        """Read a file of weights."""
        return read_weights(content)

    def fit(self, weights: Weights, *, learning_rate: float, seed: int, number: int) -> Weights:
        """Train weights further on the training rows for one round, whichever it is."""
        del number
        return fit_round(
            self._kind, weights, self._training(), learning_rate=learning_rate, seed=seed
        )

    def score(self, weights: Weights) -> ErrorSums:
        """Sum the errors of weights over the validation rows."""
        return ErrorSums.of(self._validation().units, self._predict_validation(weights))

    def length(self, part: str, task: SumTask, request: SumRequest) -> int:
        """Say how many numbers a part of the vector has."""
        if part in (WEIGHTS, WEIGHT_STEPS, QUANTISED_STEPS):
            return super().length(part, task, request)
        return error_part_length(part)

    def contribute(
        self,
        part: str,
        task: SumTask,
        request: SumRequest,
        *,
        weight: float,
        seed: int,
        days: Days | None = None,
        discount: float | None = None,
    ) -> Encoded:
        """Train the task's weights, or sum errors over the validation rows."""
        if part in (WEIGHTS, WEIGHT_STEPS, QUANTISED_STEPS):
            return super().contribute(
                part, task, request, weight=weight, seed=seed, days=days, discount=discount
            )
        return error_part(
            part, self._predict_validation(self.weights), self._validation().units, request
        )

    def _predict_validation(self, weights: Weights) -> Floats:
        """Forecast the validation rows, units."""
        rows = self._validation()
        return rows.units_of(predict_weights(self._kind, weights, rows.x))
