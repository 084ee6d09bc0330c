"""A bakery's part in a step: its vector, each part of it, masked where the server asks for it."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
from flwr.app import RecordDict
from numpy.typing import NDArray

from glean.errors import ModelError
from glean.features.definition import FeatureDefinition
from glean.federation.final_sums import kept_words
from glean.federation.mask_holder import MaskHolder
from glean.federation.orders import (
    FINAL,
    HISTOGRAMS,
    LEAVES,
    MOMENTS,
    SCORES,
    TOTALS,
    WEIGHTS,
    WIDTHS,
    Orders,
)
from glean.federation.participant import Participant
from glean.federation.score_words import SCORE_WORDS, score_words, to_words
from glean.federation.step_messages import StepReply, StepTask
from glean.federation.tree_work import Progress, TreeWork
from glean.federation.version import code_fingerprint
from glean.federation.weight_work import WeightWork
from glean.federation.width_sums import counts, moments
from glean.metrics import ErrorSums

Words = NDArray[np.int64]
Floats = NDArray[np.float64]


class StepWork:
    """Answers one task.

    Parameters
    ----------
    bakery : Participant
        The bakery.
    task : StepTask
        What is asked.
    state : RecordDict
        The node's own state.

    Attributes
    ----------
    orders : Orders
        What is asked, in detail.
    """

    def __init__(self, bakery: Participant, task: StepTask, state: RecordDict) -> None:
        self._bakery = bakery
        self._task = task
        self._state = state
        self.orders = Orders.from_json(task.orders)
        self._definition = FeatureDefinition.from_json(task.definition)
        self._work = bakery.work_on(self._definition)
        self._progress: Progress | None = None

    def answer(self) -> StepReply:
        """Compute what is asked; or say that the model or the keys for it aren't here."""
        masks = self.orders.masked
        if not self._catch_up():
            return self._reply(lacks_model=True)
        holder = MaskHolder.of(self._bakery, self._task, self._state) if masks else None
        if masks and holder is None:
            return self._reply(lacks_keys=True)
        orders = self.orders
        scores = self._scores() if orders.shows or SCORES in orders.fills else ErrorSums()
        proposal = self._proposal() if orders.proposes else b""
        words = self._words(scores)
        vector = b""
        if len(words):
            vector = holder.masked(words, self._task) if holder else words.astype("<i8").tobytes()
        return self._reply(
            sums=astuple(scores) if orders.shows else (), proposal=proposal, vector=vector
        )

    def _catch_up(self) -> bool:
        """Follow the model of the task, if it is needed."""
        orders = self.orders
        needed = orders.shows or orders.proposes or {*orders.fills} - {TOTALS, FINAL}
        if not needed or not isinstance(self._work, TreeWork):
            return True
        self._progress = self._work.follow(self._task, self._state)
        return self._progress is not None

    def _reply(
        self,
        *,
        lacks_model: bool = False,
        lacks_keys: bool = False,
        sums: tuple[float, ...] = (),
        proposal: bytes = b"",
        vector: bytes = b"",
    ) -> StepReply:
        return StepReply(
            bakery=self._bakery.sales.name,
            code=code_fingerprint(),
            definition=self._definition.identity,
            lacks_model=lacks_model,
            lacks_keys=lacks_keys,
            device=self._work.device_used if proposal or WEIGHTS in self.orders.fills else "",
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
        if isinstance(self._work, WeightWork):
            relative = self._work.forecast(self._task)
        else:
            relative = self._work.judged(self._followed())
        return np.maximum(relative, 0.0) * rows.level, rows.units

    def _proposal(self) -> bytes:
        assert isinstance(self._work, TreeWork), "only trees are proposed"
        self._bakery.check_trains(self._definition)
        seed = self._bakery.training_seed(self._task.round)
        return self._work.propose(self._task, self._followed(), seed=seed)

    def _words(self, scores: ErrorSums) -> Words:
        parts = [self._part(part, scores) for part in self.orders.parts]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    def _part(self, part: str, scores: ErrorSums) -> Words:
        """Make a part of the vector; zeros where others fill it."""
        orders, fills = self.orders, part in self.orders.fills
        if part == TOTALS:
            return self._totals()
        if part == SCORES:
            if not fills:
                return np.zeros(SCORE_WORDS, dtype=np.int64)
            return score_words(scores, unit_weight=orders.unit_weight, parties=orders.parties)
        if part == FINAL:
            return kept_words(self._state, unit_weight=orders.unit_weight, parties=orders.parties)
        if part in (MOMENTS, WIDTHS):
            return self._widths(part)
        if part == WEIGHTS:
            assert isinstance(self._work, WeightWork), "only fedavg sums weights"
            return self._weights() if fills else _zeros(self._work.word_count(self._task))
        assert isinstance(self._work, TreeWork), "only trees have leaves"
        if part == LEAVES:
            if not fills:
                return _zeros(self._work.leaf_words(self._task.structures))
            return self._work.leaf_sums(self._followed(), self._task.structures, orders)
        assert part == HISTOGRAMS, f"no such part: {part}"
        if not fills:
            return _zeros(self._work.growth_size(orders))
        return self._work.histograms(self._followed(), orders)

    def _totals(self) -> Words:
        """Count the rows to learn from, and sum their weights; none where there are too few."""
        rows = self._bakery.training(self._definition)
        learned = np.isfinite(rows.y) & self._bakery.trains
        weight = np.array([rows.weight[learned].sum()])
        return np.append(np.int64(learned.sum()), to_words(weight, parties=self.orders.parties))

    def _widths(self, part: str) -> Words:
        """Sum up or count the errors of the validation window."""
        orders = self.orders
        forecast, units = self._validated()
        if part == MOMENTS:
            sums = moments(forecast, units, unit_weight=orders.unit_weight)
            return to_words(sums, parties=orders.parties)
        if len(orders.scale) != 2 or not 0 < sum(orders.scale) < np.inf or min(orders.scale) < 0:
            raise ModelError(f"found a variance of {orders.scale!r:.80}; wanted two parts above 0")
        by_chance, by_share = orders.scale
        return counts(forecast, units, unit_weight=orders.unit_weight, scale=(by_chance, by_share))

    def _weights(self) -> Words:
        assert isinstance(self._work, WeightWork), "only fedavg sums weights"
        weight = self._bakery.check_trains(self._definition)
        return self._work.train(
            self._task,
            self.orders,
            say=weight / self.orders.unit_weight,
            seed=self._bakery.training_seed(self._task.round),
        )

    def _followed(self) -> Progress:
        assert self._progress is not None, "the model was followed"
        return self._progress


def _zeros(count: int) -> Words:
    return np.zeros(count, dtype=np.int64)
