"""A bakery's part in a step: its vector, each part of it, masked where the server asks for it."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
from flwr.app import RecordDict
from numpy.typing import NDArray

from glean.aggregation.error_histogram import counts, moments
from glean.aggregation.metric_sums import SUMS_LENGTH, encode, encode_sums
from glean.errors import ModelError
from glean.features.definition import FeatureDefinition
from glean.federation.client.client import Client
from glean.federation.client.secagg_client import StoredSecAggClient
from glean.federation.client.tree_trainer import MarginCache, TreeTrainer
from glean.federation.client.weight_trainer import WeightTrainer
from glean.federation.wire.final_test_sums import kept_encoded
from glean.federation.wire.sum_messages import SumReply, SumTask
from glean.federation.wire.sum_request import (
    ERROR_COUNTS,
    FINAL,
    HISTOGRAMS,
    LEAVES,
    MOMENTS,
    SCORES,
    TOTALS,
    WEIGHTS,
    SumRequest,
)
from glean.metrics import ErrorSums
from glean.runs.code_version import code_fingerprint

Words = NDArray[np.int64]
Floats = NDArray[np.float64]


class SumResponder:
    """Answers one task.

    Parameters
    ----------
    bakery : Client
        The bakery.
    task : SumTask
        What is asked.
    state : RecordDict
        The node's own state.

    Attributes
    ----------
    orders : SumRequest
        What is asked, in detail.
    """

    def __init__(self, bakery: Client, task: SumTask, state: RecordDict) -> None:
        self._bakery = bakery
        self._task = task
        self._state = state
        self.orders = SumRequest.from_json(task.request)
        self._definition = FeatureDefinition.from_json(task.definition)
        self._trainer = bakery.trainer_for(self._definition)
        self._cache: MarginCache | None = None

    def answer(self) -> SumReply:
        """Compute what is asked; or say that the model or the keys for it aren't here."""
        masks = self.orders.masked
        if not self._catch_up():
            return self._reply(lacks_model=True)
        holder = StoredSecAggClient.of(self._bakery, self._task, self._state) if masks else None
        if masks and holder is None:
            return self._reply(lacks_keys=True)
        request = self.orders
        scores = (
            self._scores() if request.with_scores or SCORES in request.contributes else ErrorSums()
        )
        proposal = self._proposal() if request.proposes else b""
        words = self._encoded(scores)
        vector = b""
        if len(words):
            vector = holder.masked(words, self._task) if holder else words.astype("<i8").tobytes()
        return self._reply(
            sums=astuple(scores) if request.with_scores else (), proposal=proposal, vector=vector
        )

    def _catch_up(self) -> bool:
        """Follow the model of the task, if it is needed."""
        orders = self.orders
        needed = orders.with_scores or orders.proposes or {*orders.contributes} - {TOTALS, FINAL}
        if not needed or not isinstance(self._trainer, TreeTrainer):
            return True
        self._cache = self._trainer.catch_up(self._task, self._state)
        return self._cache is not None

    def _reply(
        self,
        *,
        lacks_model: bool = False,
        lacks_keys: bool = False,
        sums: tuple[float, ...] = (),
        proposal: bytes = b"",
        vector: bytes = b"",
    ) -> SumReply:
        return SumReply(
            bakery=self._bakery.sales.name,
            code=code_fingerprint(),
            definition=self._definition.identity,
            lacks_model=lacks_model,
            lacks_keys=lacks_keys,
            device=self._trainer.device_used
            if proposal or WEIGHTS in self.orders.contributes
            else "",
            sums=sums,
            proposal=proposal,
            vector=vector,
        )

    def _scores(self) -> ErrorSums:
        forecast, units = self._validated()
        return ErrorSums.of(units, forecast)

    def _validated(self) -> tuple[Floats, Floats]:
        """Forecast the validation rows; units, and those that were sold."""
        rows = self._bakery.validation(self._definition)
        if isinstance(self._trainer, WeightTrainer):
            relative = self._trainer.forecast(self._task)
        else:
            relative = self._trainer.validate(self._caught_up())
        return np.maximum(relative, 0.0) * rows.level, rows.units

    def _proposal(self) -> bytes:
        assert isinstance(self._trainer, TreeTrainer), "only trees are proposed"
        self._bakery.check_trains(self._definition)
        seed = self._bakery.training_seed(self._task.round)
        return self._trainer.propose(self._task, self._caught_up(), seed=seed)

    def _encoded(self, scores: ErrorSums) -> Words:
        parts = [self._part(part, scores) for part in self.orders.parts]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    def _part(self, part: str, scores: ErrorSums) -> Words:
        """Make a part of the vector; zeros where others fill it."""
        orders, fills = self.orders, part in self.orders.contributes
        if part == TOTALS:
            return self._totals()
        if part == SCORES:
            if not fills:
                return np.zeros(SUMS_LENGTH, dtype=np.int64)
            return encode_sums(
                scores, unit_weight=orders.unit_weight, num_clients=orders.num_clients
            )
        if part == FINAL:
            return kept_encoded(
                self._state, unit_weight=orders.unit_weight, num_clients=orders.num_clients
            )
        if part in (MOMENTS, ERROR_COUNTS):
            return self._widths(part)
        if part == WEIGHTS:
            assert isinstance(self._trainer, WeightTrainer), "only fedavg sums weights"
            return self._weights() if fills else _zeros(self._trainer.length(self._task))
        assert isinstance(self._trainer, TreeTrainer), "only trees have leaves"
        if part == LEAVES:
            if not fills:
                return _zeros(self._trainer.leaf_sums_length(self._task.structures))
            return self._trainer.leaf_sums(self._caught_up(), self._task.structures, orders)
        assert part == HISTOGRAMS, f"no such part: {part}"
        if not fills:
            return _zeros(self._trainer.histogram_length(orders))
        return self._trainer.histograms(self._caught_up(), orders)

    def _totals(self) -> Words:
        """Count the rows to learn from, and sum their weights; none where there are too few."""
        rows = self._bakery.training(self._definition)
        learned = np.isfinite(rows.y) & self._bakery.trains
        weight = np.array([rows.weight[learned].sum()])
        return np.append(
            np.int64(learned.sum()), encode(weight, num_clients=self.orders.num_clients)
        )

    def _widths(self, part: str) -> Words:
        """Sum up or count the errors of the validation window."""
        orders = self.orders
        forecast, units = self._validated()
        if part == MOMENTS:
            sums = moments(forecast, units, unit_weight=orders.unit_weight)
            return encode(sums, num_clients=orders.num_clients)
        if len(orders.scale) != 2 or not 0 < sum(orders.scale) < np.inf or min(orders.scale) < 0:
            raise ModelError(f"found a variance of {orders.scale!r:.80}; wanted two parts above 0")
        by_chance, by_share = orders.scale
        return counts(forecast, units, unit_weight=orders.unit_weight, scale=(by_chance, by_share))

    def _weights(self) -> Words:
        assert isinstance(self._trainer, WeightTrainer), "only fedavg sums weights"
        weight = self._bakery.check_trains(self._definition)
        return self._trainer.train(
            self._task,
            self.orders,
            weight=weight / self.orders.unit_weight,
            seed=self._bakery.training_seed(self._task.round),
        )

    def _caught_up(self) -> MarginCache:
        assert self._cache is not None, "the model was followed"
        return self._cache


def _zeros(count: int) -> Words:
    return np.zeros(count, dtype=np.int64)
