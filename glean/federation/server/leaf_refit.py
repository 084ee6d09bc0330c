"""Rounds of `bagging` with refitted leaves: some propose structures, all sum up their leaves."""

from __future__ import annotations

from collections.abc import Sequence

from glean.aggregation import refit
from glean.aggregation.leaf_floor import NodeCounts, merged_leaves
from glean.errors import FederationError, ModelError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.global_model import GlobalModel, TreeModel
from glean.federation.coordination.reply_checks import TreeChecks
from glean.federation.coordination.retries import retries
from glean.federation.coordination.sum_rounds import Encoded, SumRounds
from glean.federation.server.first_model import first_trees, tree_layout
from glean.federation.server.pipelined import PiggybackedEvaluation, PipelinedStrategy
from glean.federation.server.round_result import RoundResult
from glean.federation.wire.sum_request import LEAVES, PRESENCE, SumRequest
from glean.learning.forest import Forest
from glean.learning.structure import node_count
from glean.seeds import derived_seed, draw


class LeafRefitStrategy(PipelinedStrategy):
    """Two exchanges a round: structures from a few bakeries, leaf sums from all.

    With a floor under leaves there is one between them: how many bakeries have rows in each node.
    """

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
        proposed = self._structures(number, model)
        counts = self._counted(number, model, proposed) if self._floor else None
        for attempt in retries(self._manager, number):
            structures, asked = proposed, self._trainers(number, attempt.spent)
            if counts is not None:
                asked = [name for name in asked if name in counts.bakeries]
                structures = self._merged(proposed, counts.least_among(asked), number)
            attempt.asked = asked
            length = refit.encoded_length(structures)
            result = self._sum_rounds.run(
                number,
                model,
                self._requests(LEAVES, asked, evaluation, number=number),
                length=length + evaluation.length,
                structures=structures.to_bytes(),
                complete=counts is not None,
            )
            evaluation.take(result)
            learned = [name for name in asked if name in result.replies]
            if learned:
                news = self._refitted(structures, result.total[:length], number)
                grown = model.grown(model.forest.plus(news.trees))
                return RoundResult(grown, len(asked), len(learned), state)
            if result.absent:
                attempt.asked = sorted(result.absent)
        raise self._manager.failed(f"the leaf sums of round {number}")

    @property
    def _floor(self) -> int:
        return self._manager.contributors_floor

    def _counted(self, number: int, model: TreeModel, structures: Forest) -> NodeCounts:
        """Count the bakeries that have rows in each node.

        Once a round: counted anew without one bakery, the difference would be that bakery's.
        """
        unscored = PiggybackedEvaluation(self._manager, wanted=False)
        for attempt in retries(self._manager, number):
            asked = self._trainers(number, attempt.spent)
            attempt.asked = asked
            result = self._sum_rounds.run(
                number,
                model,
                self._requests(PRESENCE, asked, unscored, number=number),
                length=node_count(structures),
                structures=structures.to_bytes(),
            )
            if result.replies:
                return NodeCounts(result.total, frozenset(result.replies))
        raise self._manager.failed(f"the counts of round {number}")

    def _merged(self, structures: Forest, counts: refit.Encoded, number: int) -> Forest:
        try:
            return merged_leaves(structures, counts, floor=self._floor)
        except ModelError as error:
            raise FederationError(
                f"round {number}: min-contributors wants {self._floor} bakeries in every leaf: "
                f"{error}. More bakeries with rows help, or a lower min-contributors, from 3 up"
            ) from error

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
