"""What a member of a run received: the models, and the structures that it was to sum by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glean.audit.bakery_truth import BakeryTruth
from glean.federation.coordination.sum_rounds import SUM
from glean.federation.grids.recording import Exchange
from glean.federation.wire.sum_messages import SumTask
from glean.federation.wire.sum_request import TOTALS, SumRequest
from glean.learning.forest import Forest

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MembersView:
    """What one node was told.

    Parameters
    ----------
    models : dict of int to Forest
        By round, the model that the round began with.
    unit_weight : float
        Mean level of a row of all bakeries; 1 where it was never told.
    """

    models: dict[int, Forest]
    unit_weight: float

    @classmethod
    def of(cls, exchanges: Iterable[Exchange], node: int) -> MembersView:
        """Read the messages to a node."""
        forest: Forest | None = None
        state, unit_weight = "", 1.0
        models: dict[int, Forest] = {}
        for one in exchanges:
            if one.node != node or one.kind != SUM:
                continue
            task = SumTask.from_record(one.sent)
            request = SumRequest.from_json(task.request)
            if request.parts and TOTALS not in request.parts:
                unit_weight = request.unit_weight
            if task.model and task.state != state:
                news = Forest.from_bytes(task.model)
                forest = forest.plus(news.trees) if forest and task.base else news
                state = task.state
            if forest is not None:
                models.setdefault(task.round, forest)
        return cls(models, unit_weight)

    def margin(self, number: int, truth: BakeryTruth) -> Floats:
        """Say what the model that a round began with makes of a bakery's rows, shape (rows,)."""
        trees = self.models[number].trees
        if not trees:
            return np.ones(len(truth))
        values = np.concatenate([tree.value[tree.left < 0] for tree in trees])
        margin: Floats = 1.0 + values[truth.leaves(trees)].sum(axis=0, dtype=np.float64)
        return margin
