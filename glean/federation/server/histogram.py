"""Rounds of `histogram`: trees grown level by level from sums of histograms.

The tree is the one that pooled training would grow on the same bins. A level's histograms are asked
for only the smaller child of each split, so all levels of a tree have to come from the same
bakeries: where one drops out the tree is grown anew from its root, without it. So it is where the
sums don't fit together: of a sum it can't be told whose part was damaged, or whether on the way.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from glean.errors import ImpossibleSumError, ModelError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.global_model import GlobalModel, TreeModel
from glean.federation.coordination.retries import ATTEMPTS, retries
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.coordination.wanted_sum import Check
from glean.federation.server.first_model import first_trees, tree_layout
from glean.federation.server.pipelined import PiggybackedEvaluation, PipelinedStrategy
from glean.federation.server.round_result import RoundResult
from glean.federation.wire.sum_request import HISTOGRAMS
from glean.learning.histogram_grower import HistogramGrower
from glean.runs.setback_events import TreesGivenUp
from glean.seeds import derived_seed

LOG = logging.getLogger("glean")


class HistogramStrategy(PipelinedStrategy):
    """As many exchanges a round as trees have levels."""

    def __init__(self, manager: ClientManager, sum_rounds: SumRounds) -> None:
        super().__init__(manager, sum_rounds)
        self._layout = tree_layout(manager)

    def first_model(self) -> TreeModel:
        """Begin without trees."""
        return first_trees(self._manager)

    def _train(
        self, number: int, model: GlobalModel, state: bytes, evaluation: PiggybackedEvaluation
    ) -> RoundResult:
        assert isinstance(model, TreeModel), "histograms grow trees"
        misfit = ""
        # Nobody is spent: of a sum that doesn't fit it can't be told whose part was damaged.
        for _ in retries(self._manager, number):
            asked = self._manager.sample_trainers(number)
            try:
                grown = self._grown(asked, number, model, evaluation)
            except ModelError as error:
                misfit = str(error)
                self._report_misfit(misfit, number)
            else:
                if grown is not None:
                    next_model, replies = grown
                    return RoundResult(next_model, len(asked), replies, state)
        if misfit:
            raise ImpossibleSumError(
                f"trees were given up {ATTEMPTS} times at most, the last time as {misfit}. One "
                "sends damaged sums; find it by leaving each out in turn"
            )
        raise self._manager.failed(f"the train phase of round {number}")

    def _cell_check(self, learners: Sequence[str], length: int, number: int) -> Check:
        bounds = self._sum_rounds.bounds(number, learners)
        return lambda total: bounds.check_pairs(total[:length].reshape(-1, 2))

    def _report_misfit(self, misfit: str, number: int) -> None:
        folder = self._manager.clients.folder
        folder.append_event(TreesGivenUp(number, misfit))
        LOG.warning("round %d: trees are given up: %s", number, misfit)

    def _grown(
        self,
        asked: Sequence[str],
        number: int,
        model: TreeModel,
        evaluation: PiggybackedEvaluation,
    ) -> tuple[TreeModel, int] | None:
        """Grow a group of trees from those who stay to its end, and count them.

        None where nobody stays.
        """
        learners = asked
        while learners:
            grower = self._grower(number, learners)
            left = self._grow(grower, learners, number, model, evaluation)
            if left == learners:
                return model.grown(model.forest.plus(grower.trees())), len(learners)
            learners = left
        return None

    def _grower(self, number: int, learners: Sequence[str]) -> HistogramGrower:
        """Begin a group of trees, whose samples go by the round and by who learns.

        A tree grown anew without one bakery on the same rows of the others would give away that
        bakery's sums, as the difference.
        """
        return HistogramGrower(
            self._layout,
            self._settings.boosting,
            learning_rate=self._manager.learning_rate,
            rows=self._sum_rounds.totals(number).rows,
            seed=derived_seed(self._settings.seed, "growth", number, *learners),
        )

    def _grow(
        self,
        grower: HistogramGrower,
        learners: Sequence[str],
        number: int,
        model: TreeModel,
        evaluation: PiggybackedEvaluation,
    ) -> Sequence[str]:
        """Grow a group of trees, or give it up as soon as a bakery is missing; who was there."""
        while (wanted := grower.request()) is not None:
            length = wanted.size(self._layout)
            requests = self._requests(
                HISTOGRAMS, learners, evaluation, number=number, histogram_request=wanted.to_json()
            )
            result = self._sum_rounds.run(
                number,
                model,
                requests,
                length=length + evaluation.length,
                check=self._cell_check(learners, length, number),
            )
            evaluation.take(result)
            there = [name for name in learners if name in result.replies]
            if len(there) < len(learners):
                return there
            grower.take(result.total[:length])
        return learners
