"""Rounds of `bagging` with refitted leaves: some propose structures, all sum up their leaves."""

from __future__ import annotations

from collections.abc import Sequence

from glean.aggregation import refit
from glean.errors import FederationError, ModelError
from glean.federation.coordination.global_model import GlobalModel, TreeModel
from glean.federation.server.pipelined import PiggybackedEvaluation, PipelinedStrategy
from glean.federation.server.round_result import RoundResult
from glean.federation.wire.sum_request import LEAVES, SumRequest
from glean.learning.forest import Forest
from glean.seeds import derived_seed, draw


class LeafRefitStrategy(PipelinedStrategy):
    """Two exchanges a round: structures from a few bakeries, leaf sums from all."""

    def _train(self, number: int, model: GlobalModel, ride: PiggybackedEvaluation) -> RoundResult:
        assert isinstance(model, TreeModel), "refitted leaves are those of trees"
        structures = self._structures(number, model)
        content = structures.to_bytes()
        length = refit.encoded_length(structures)
        phase = f"the leaf sums of round {number}"

        def collect(spent: set[str]) -> tuple[Sequence[str], list[RoundResult]]:
            asked = [name for name in self._trainers(number) if name not in spent]
            orders = self._requests(LEAVES, asked, ride, number=number)
            result = self._steps.run(
                number,
                model,
                orders,
                length=length + ride.length,
                structures=content,
            )
            ride.take(result, self._steps)
            learned = [name for name in asked if name in result.replies]
            if not learned:
                return asked, []
            news = refit.refitted(
                structures,
                result.total[:length],
                rows=self._steps.totals(number).rows,
                learning_rate=self._manager.learning_rate,
                boosting=self._settings.boosting,
            )
            forest = model.forest.plus(news.trees)
            return asked, [RoundResult(model.grown(forest), len(asked), len(learned))]

        _, trained = self._manager.some(collect, number, phase)
        return trained[0]

    def _trainers(self, number: int) -> tuple[str, ...]:
        there = self._manager.present_trainers(number)
        return self._manager.aggregator.trainers(there, number)

    def _structures(self, number: int, model: TreeModel) -> Forest:
        """Have some of the bakeries propose trees; all their structures, in order of the names."""
        seed = derived_seed(self._settings.seed, "proposals", number)
        most = self._settings.rounds.proposals_per_round

        def collect(spent: set[str]) -> tuple[Sequence[str], list[Forest]]:
            there = [name for name in self._trainers(number) if name not in spent]
            asked = draw(there, min(most, len(there)), seed=seed)
            return asked, self._proposals(number, model, asked)

        phase = f"the proposals of round {number}"
        _, proposals = self._manager.some(collect, number, phase)
        return refit.joined(proposals)

    def _proposals(self, number: int, model: TreeModel, asked: Sequence[str]) -> list[Forest]:
        orders = {name: SumRequest(proposes=True) for name in asked}
        result = self._steps.run(number, model, orders, length=0)
        found: list[Forest] = []
        for name, reply in result.replies.items():
            try:
                found.append(self._manager.aggregator.accept_structure(reply))
                self._manager.devices.add(reply.device)
            except (ModelError, FederationError) as error:
                self._manager.clients.report_failure(name, str(error), round_number=number)
        return found
