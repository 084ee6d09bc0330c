"""A client's work on averaged weights: score them, train them further on its rows."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from glean.aggregation import fedavg, quantised_updates
from glean.aggregation.buffered import discounted, rebased
from glean.aggregation.clipped_updates import clipped_update
from glean.errors import ModelError
from glean.federation.wire.messages import Task
from glean.federation.wire.sum_messages import SumTask
from glean.federation.wire.sum_request import (
    CLIENT_STEPS,
    QUANTISED_STEPS,
    WEIGHT_STEPS,
    WEIGHTS,
    WHOLE,
    SumRequest,
)
from glean.federation.workload.client_state import ClientState
from glean.learning.model_weights import Weights
from glean.metric_sums import MetricSums
from glean.privacy.privacy_ledger import Days

LOG = logging.getLogger("glean")

Encoded = NDArray[np.int64]

_BEFORE, _AFTER = "glean-job-before", "glean-job-after"


class WeightTrainer(ABC):
    """A `LocalTrainer` of weights; a workload says how they are read, fitted and scored."""

    device_used = "cpu"
    update_clip_norm = 0.0
    """Longest update, where sums may be of such; 0: they may not."""

    def __init__(self) -> None:
        self._model = b""
        self._state = ClientState.empty()

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

    def catch_up(self, task: Task, state: ClientState) -> bool:
        """Take the weights of a task, which always come whole."""
        self._model, self._state = task.model, state
        return True

    def begin(self, task: Task, *, seed: int) -> None:
        """Train the task's weights, and keep what they were before and are now."""
        before, after = self._fitted(task, seed=seed)
        for name, weights in ((_BEFORE, before), (_AFTER, after)):
            self._state.put(name, task.state, weights.arrays)

    def train(
        self, task: Task, *, seed: int, structures_only: bool = False, from_job: bool = False
    ) -> bytes:
        """Refuse: weights are averaged in a sum."""
        del seed, structures_only, from_job
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
        discount: float | None = None,
    ) -> Encoded:
        """Train the task's weights on this client's rows, or take those of the job; its summand."""
        self._check_part(part)
        if part == WHOLE:
            return np.empty(0, dtype=np.int64)
        if days is not None and not days:
            # What may spend no more adds nothing, and noise.
            return np.zeros(self.length(part, task, request), dtype=np.int64)
        if discount is None:
            before, after = self._fitted(task, seed=seed)
        else:
            before, after = (self._kept(name, task) for name in (_BEFORE, _AFTER))
        if part == CLIENT_STEPS:
            steps = clipped_update(after, before, clip_norm=self.update_clip_norm)
            return steps if discount is None else discounted(steps, discount)
        if discount is not None:
            begun, before = before, self.read(task.model)
            after = rebased(after, begun, before, discount=discount)
        if part == QUANTISED_STEPS:
            return _quantised(after, before, request, weight=weight, seed=seed)
        if part == WEIGHT_STEPS:
            return fedavg.encoded_steps(after, before, weight=weight, rows=request.rows)
        return fedavg.encoded(after, weight=weight, rows=request.rows)

    def _fitted(self, task: Task, *, seed: int) -> tuple[Weights, Weights]:
        """Give the task's weights, and what training makes of them."""
        before = self.read(task.model)
        try:
            after = self.fit(before, learning_rate=task.learning_rate, seed=seed, number=task.round)
        except ModelError as error:
            # Whoever chooses the learning rate would read from an error how steep the rows are.
            LOG.warning("this client's weights stay as they were: %s", error)
            after = before
        return before, after

    def _kept(self, name: str, task: Task) -> Weights:
        """Read the weights that a job was begun with, or ended with."""
        like, found = self.read(task.model), self._state.arrays(name)
        arrays = {key: found[key].astype(np.float32) for key in like.arrays}
        return Weights(like.kind, like.spec, arrays)

    def _check_part(self, part: str) -> None:
        clipped = (CLIENT_STEPS,) if self.update_clip_norm else ()
        if part not in (WEIGHTS, WEIGHT_STEPS, QUANTISED_STEPS, WHOLE, *clipped):
            raise ModelError(
                f"found the part {part!r:.80} of a vector; a model of weights has none"
            )


def _quantised(
    after: Weights, before: Weights, request: SumRequest, *, weight: float, seed: int
) -> Encoded:
    """Write an update in the bits of a request, as a share of what those in the sum weigh."""
    if len(request.scale) != 2 or not 1 <= request.scale[0] <= request.scale[1]:
        raise ModelError(
            f"found the scale {request.scale!r:.80}; wanted how many are in the sum, and of all"
        )
    clients, everybody = int(request.scale[0]), int(request.scale[1])
    drawn = clients < everybody
    return quantised_updates.quantised(
        after,
        before,
        share=weight / max(1, request.rows) * everybody / clients,
        most=quantised_updates.largest_share(clients, drawn=drawn),
        count=quantised_updates.level_count(request.word_bits, clients=clients, drawn=drawn),
        seed=seed,
    )
