"""Rounds of `bagging` with refitted leaves: some propose structures, all sum up their leaves."""

from __future__ import annotations

from collections.abc import Sequence

from glean.aggregation import refit
from glean.errors import FederationError, ModelError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.global_model import GlobalModel, TreeModel
from glean.federation.coordination.reply_checks import TreeChecks
from glean.federation.coordination.retries import retries
from glean.federation.coordination.sum_rounds import Encoded, SumRounds
from glean.federation.server.first_model import first_trees, tree_layout
from glean.federation.server.pipelined import PiggybackedEvaluation, PipelinedStrategy
from glean.federation.server.round_result import RoundResult
from glean.federation.wire.sum_request import LEAVES, SumRequest
from glean.learning.forest import Forest
from glean.seeds import derived_seed, draw


class LeafRefitStrategy(PipelinedStrategy):
    """Two exchanges a round: structures from a few bakeries, leaf sums from all."""

    def __init__(self, manager: ClientManager, sum_rounds: SumRounds) -> None:
        super().__init__(manager, sum_rounds)
        self._checks = TreeChecks(manager.settings, manager.spec, tree_layout(manager))

    def first_model(self) -> TreeModel:
        """Begin without trees."""
        return first_trees(self._manager)

    def _train(
        self, number: int, model: GlobalModel, state: bytes, evaluation: PiggybackedEvaluation
    ) -> RoundResult:
        assert isinstance(model, TreeModel), "refitted leaves are those of trees"
        structures = self._structures(number, model)
        content = structures.to_bytes()
        length = refit.encoded_length(structures)
        for attempt in retries(self._manager, number):
            asked = self._trainers(number, attempt.spent)
            attempt.asked = asked
            requests = self._requests(LEAVES, asked, evaluation, number=number)
            result = self._sum_rounds.run(
                number, model, requests, length=length + evaluation.length, structures=content
            )
            evaluation.take(result)
            learned = [name for name in asked if name in result.replies]
            if learned:
                news = self._refitted(structures, result.total[:length], number)
                grown = model.grown(model.forest.plus(news.trees))
                return RoundResult(grown, len(asked), len(learned), state)
        raise self._manager.failed(f"the leaf sums of round {number}")

    def _refitted(self, structures: Forest, encoded: Encoded, number: int) -> Forest:
        return refit.refitted(
            structures,
            encoded,
            rows=self._sum_rounds.totals(number).rows,
            learning_rate=self._manager.learning_rate,
            boosting=self._settings.boosting,
        )

    def _trainers(self, number: int, spent: frozenset[str]) -> list[str]:
        """Name who of the round's draw is left; another draw is another round's."""
        return [name for name in self._manager.sample_trainers(number) if name not in spent]

    def _structures(self, number: int, model: TreeModel) -> Forest:
        """Have some of the bakeries propose trees; all their structures, in order of the names."""
        seed = derived_seed(self._settings.seed, "proposals", number)
        most = self._settings.rounds.proposals_per_round
        for attempt in retries(self._manager, number):
            there = self._trainers(number, attempt.spent)
            attempt.asked = draw(there, min(most, len(there)), seed=seed)
            proposals = self._proposals(number, model, attempt.asked)
            if proposals:
                return refit.joined(proposals)
        raise self._manager.failed(f"the proposals of round {number}")

    def _proposals(self, number: int, model: TreeModel, asked: Sequence[str]) -> list[Forest]:
        requests = {name: SumRequest(proposes=True) for name in asked}
        result = self._sum_rounds.run(number, model, requests, length=0)
        found: list[Forest] = []
        for name, reply in result.replies.items():
            try:
                found.append(self._checks.structure_of(reply))
                self._manager.devices.add(reply.device)
            except (ModelError, FederationError) as error:
                self._manager.clients.report_failure(name, str(error), round_number=number)
        return found
