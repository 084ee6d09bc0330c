"""A client's work on averaged weights: score them, train them further on its rows."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from glean.aggregation import fedavg
from glean.errors import ModelError
from glean.federation.wire.messages import Task
from glean.federation.wire.sum_messages import SumTask
from glean.federation.wire.sum_request import WEIGHT_STEPS, WEIGHTS, SumRequest
from glean.federation.workload.client_state import ClientState
from glean.learning.model_weights import Weights
from glean.metric_sums import MetricSums
from glean.privacy.privacy_ledger import Days

LOG = logging.getLogger("glean")

Encoded = NDArray[np.int64]


class WeightTrainer(ABC):
    """A `LocalTrainer` of weights; a workload says how they are read, fitted and scored."""

    device_used = "cpu"

    def __init__(self) -> None:
        self._model = b""

    @abstractmethod
    def totals(self) -> tuple[int, float]:
        """Give the number of rows to learn from and the sum of their weights."""

    @abstractmethod
    def read(self, content: bytes) -> Weights:
        """Read a file of weights."""

    @abstractmethod
    def fit(self, weights: Weights, *, learning_rate: float, seed: int, number: int) -> Weights:
        """Train weights further on the training rows for round `number`."""

    @abstractmethod
    def score(self, weights: Weights) -> MetricSums:
        """Score weights on the validation rows."""

    def catch_up(self, task: Task, _state: ClientState) -> bool:
        """Take the weights of a task, which always come whole."""
        self._model = task.model
        return True

    def train(self, task: Task, *, seed: int, structures_only: bool = False) -> bytes:
        """Refuse: weights are averaged in a sum."""
        del seed, structures_only
        raise ModelError(f"round {task.round}: found a task for trees; wanted one for weights")

    def validate(self) -> MetricSums:
        """Score the weights caught up with on the validation rows."""
        return self.score(self.weights)

    @property
    def weights(self) -> Weights:
        """The weights caught up with."""
        return self.read(self._model)

    def length(self, part: str, task: SumTask, _request: SumRequest) -> int:
        """Say how many numbers a part of the vector has."""
        _check_part(part)
        return fedavg.encoded_length(self.read(task.model)) - (part == WEIGHT_STEPS)

    def contribute(
        self,
        part: str,
        task: SumTask,
        request: SumRequest,
        *,
        weight: float,
        seed: int,
        days: Days | None = None,
    ) -> Encoded:
        """Train the task's weights on this client's rows; its summand."""
        del days  # weights carry no noise, and no day's part in them is told apart
        _check_part(part)
        before = self.read(task.model)
        try:
            fitted = self.fit(
                before, learning_rate=task.learning_rate, seed=seed, number=task.round
            )
        except ModelError as error:
            # Whoever chooses the learning rate would read from an error how steep the rows are.
            LOG.warning("this client's weights stay as they were: %s", error)
            fitted = before
        if part == WEIGHT_STEPS:
            return fedavg.encoded_steps(fitted, before, weight=weight, rows=request.rows)
        return fedavg.encoded(fitted, weight=weight, rows=request.rows)


def _check_part(part: str) -> None:
    if part not in (WEIGHTS, WEIGHT_STEPS):
        raise ModelError(f"found the part {part!r:.80} of a vector; a model of weights has none")
