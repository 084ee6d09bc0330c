"""Rounds of `histogram`: trees grown level by level from sums of histograms.

The tree is the one that pooled training would grow on the same bins. A level's histograms are asked
for only the smaller child of each split, so all levels of a tree have to come from the same
bakeries: where one drops out the tree is grown anew from its root, without it. So it is where the
sums don't fit together: of a sum it can't be told whose part was damaged, or whether on the way.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from glean.errors import FederationError, ModelError
from glean.federation.coordination.client_manager import ATTEMPTS
from glean.federation.coordination.global_model import GlobalModel, TreeModel
from glean.federation.server.pipelined import PiggybackedEvaluation, PipelinedStrategy
from glean.federation.server.round_result import RoundResult
from glean.federation.wire.sum_request import HISTOGRAMS
from glean.learning.histogram_grower import HistogramGrower
from glean.runs.events import TreesGivenUp
from glean.seeds import derived_seed

LOG = logging.getLogger("glean")


class HistogramStrategy(PipelinedStrategy):
    """As many exchanges a round as trees have levels."""

    def _train(self, number: int, model: GlobalModel, ride: PiggybackedEvaluation) -> RoundResult:
        assert isinstance(model, TreeModel), "histograms grow trees"
        misfit = ""
        for _ in range(ATTEMPTS):
            there = self._manager.present_trainers(number)
            asked = self._manager.aggregator.trainers(there, number)
            try:
                trained = self._grown(asked, number, model, ride)
            except ModelError as error:
                misfit = str(error)
                self._manager.clients.folder.append_event(TreesGivenUp(number, misfit))
                LOG.warning("round %d: trees are given up: %s", number, misfit)
            else:
                if trained is not None:
                    return trained
            self._manager.gather(number)
        if misfit:
            raise FederationError(
                f"round {number}: trees were given up {ATTEMPTS} times at most, the last time as "
                f"{misfit}. A bakery sends damaged sums; find it by leaving bakeries out"
            )
        raise self._manager.failed(f"the train phase of round {number}")

    def _grown(
        self, asked: Sequence[str], number: int, model: TreeModel, ride: PiggybackedEvaluation
    ) -> RoundResult | None:
        """Grow a group of trees from those who stay to its end; None where nobody does."""
        learners = asked
        while learners:
            growth = self._growth(number, learners)
            left = self._grow(growth, learners, number, model, ride)
            if left == learners:
                forest = model.forest.plus(growth.trees())
                return RoundResult(model.grown(forest), len(asked), len(learners))
            learners = left
        return None

    def _growth(self, number: int, learners: Sequence[str]) -> HistogramGrower:
        """Begin a group of trees, whose samples go by the round and by who learns.

        A tree grown anew without one bakery on the same rows of the others would give away that
        bakery's sums, as the difference.
        """
        boosting = self._settings.boosting
        return HistogramGrower(
            self._manager.aggregator.layout,
            boosting,
            learning_rate=self._manager.learning_rate,
            rows=self._steps.totals(number).rows,
            seed=derived_seed(self._settings.seed, "growth", number, *learners),
        )

    def _grow(
        self,
        growth: HistogramGrower,
        learners: Sequence[str],
        number: int,
        model: TreeModel,
        ride: PiggybackedEvaluation,
    ) -> Sequence[str]:
        """Grow a group of trees, or give it up as soon as a bakery is missing; who was there."""
        while (order := growth.request()) is not None:
            length = order.size(self._manager.aggregator.layout)
            orders = self._requests(
                HISTOGRAMS, learners, ride, number=number, growth=order.to_json()
            )
            result = self._steps.run(number, model, orders, length=length + ride.length)
            ride.take(result, self._steps)
            there = [name for name in learners if name in result.replies]
            if len(there) < len(learners):
                return there
            growth.take(result.total[:length])
        return learners
