"""A client's work on averaged weights: score them, train them further on its rows."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from glean.aggregation import fedavg
from glean.aggregation.clipped_updates import clipped_update
from glean.errors import ModelError
from glean.federation.wire.messages import Task
from glean.federation.wire.sum_messages import SumTask
from glean.federation.wire.sum_request import CLIENT_STEPS, WEIGHT_STEPS, WEIGHTS, WHOLE, SumRequest
from glean.federation.workload.client_state import ClientState
from glean.learning.model_weights import Weights
from glean.metric_sums import MetricSums
from glean.privacy.privacy_ledger import Days

LOG = logging.getLogger("glean")

Encoded = NDArray[np.int64]


class WeightTrainer(ABC):
    """A `LocalTrainer` of weights; a workload says how they are read, fitted and scored."""

    device_used = "cpu"
    update_clip_norm = 0.0
    """Longest update, where sums may be of such; 0: they may not."""

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
        self._check_part(part)
        if part == WHOLE:
            return 0
        return fedavg.encoded_length(self.read(task.model)) - (part != WEIGHTS)

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
        self._check_part(part)
        if part == WHOLE:
            return np.empty(0, dtype=np.int64)
        before = self.read(task.model)
        if days is not None and not days:
            # What may spend no more adds nothing, and noise.
            return np.zeros(self.length(part, task, request), dtype=np.int64)
        try:
            fitted = self.fit(
                before, learning_rate=task.learning_rate, seed=seed, number=task.round
            )
        except ModelError as error:
            # Whoever chooses the learning rate would read from an error how steep the rows are.
            LOG.warning("this client's weights stay as they were: %s", error)
            fitted = before
        if part == CLIENT_STEPS:
            return clipped_update(fitted, before, clip_norm=self.update_clip_norm)
        if part == WEIGHT_STEPS:
            return fedavg.encoded_steps(fitted, before, weight=weight, rows=request.rows)
        return fedavg.encoded(fitted, weight=weight, rows=request.rows)

    def _check_part(self, part: str) -> None:
        clipped = (CLIENT_STEPS,) if self.update_clip_norm else ()
        if part not in (WEIGHTS, WEIGHT_STEPS, WHOLE, *clipped):
            raise ModelError(
                f"found the part {part!r:.80} of a vector; a model of weights has none"
            )
