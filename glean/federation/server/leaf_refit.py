"""Rounds of `bagging` with refitted leaves: some propose structures, all sum up their leaves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

from glean.aggregation import refit
from glean.aggregation.count_bounds import check_presence
from glean.aggregation.leaf_floor import CountedLeaves, NodeCounts
from glean.errors import FederationError, ModelError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.global_model import GlobalModel, TreeModel
from glean.federation.coordination.retries import retries
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.coordination.wanted_sum import Check, Encoded
from glean.federation.server.first_model import first_trees
from glean.federation.server.kept_leaves import KeptLeaves
from glean.federation.server.pipelined import PiggybackedEvaluation, PipelinedStrategy
from glean.federation.server.round_result import RoundResult
from glean.federation.server.structure_proposals import StructureProposals
from glean.federation.wire.opened_cohorts import TRAINING
from glean.federation.wire.sum_request import LEAF_GRADIENTS, LEAVES, PRESENCE
from glean.learning.forest import Forest
from glean.learning.structure import node_count
from glean.seeds import derived_seed


class LeafRefitStrategy(PipelinedStrategy):
    """Two exchanges a round: structures from a few bakeries, leaf sums from all.

    With a floor under leaves there is one between them: how many bakeries have rows in each node.
    Where a bakery that was counted is gone, neither counts nor hessians are opened without it: the
    structures of an earlier round serve again, with their hessians and fresh gradient sums.
    """

    def __init__(self, manager: ClientManager, sum_rounds: SumRounds) -> None:
        super().__init__(manager, sum_rounds)
        self._proposals = StructureProposals(manager, sum_rounds)
        self._kept = KeptLeaves(manager.clients.folder)

    def first_model(self) -> TreeModel:
        """Begin without trees."""
        return first_trees(self._manager)

    def _train(
        self, number: int, model: GlobalModel, state: bytes, evaluation: PiggybackedEvaluation
    ) -> RoundResult:
        assert isinstance(model, TreeModel), "refitted leaves are those of trees"
        proposed = None if self._floor else self._proposals.structures(number, model)
        leaves = self._counted(number, model) if self._floor else None
        for attempt in retries(self._manager, number):
            evaluation.without = attempt.spent
            there = self._proposals.trainers(number, attempt.spent)
            if self._floor:
                leaves = self._leaves(leaves, there, number, model)
            structures = leaves.structures if leaves else proposed
            assert structures is not None, "proposed, or counted"
            asked = [name for name in there if leaves is None or name in leaves.counts.bakeries]
            attempt.asked = asked
            again = leaves is not None and leaves.hessians is not None
            length = refit.encoded_length(structures) // (1 + again)
            result = self._sum_rounds.run(
                number,
                model,
                self._requests(
                    LEAF_GRADIENTS if again else LEAVES, asked, evaluation, number=number
                ),
                length=length + evaluation.length,
                structures=structures.to_bytes(),
                complete=leaves is not None,
                check=self._check(structures, length, asked, number, gradients_only=again),
            )
            evaluation.take(result)
            learned = [name for name in asked if name in result.replies]
            if learned:
                sums = self._noted(leaves, result.total[:length])
                grown = model.grown(
                    model.forest.plus(self._refitted(structures, sums, number).trees)
                )
                return RoundResult(
                    grown, len(asked), len(learned), state, learned=dict.fromkeys(learned, 0)
                )
            if result.absent:
                attempt.asked = sorted(result.absent)
        raise self._manager.failed(f"the leaf sums of round {number}")

    def _check(
        self,
        structures: Forest,
        length: int,
        asked: Sequence[str],
        number: int,
        *,
        gradients_only: bool,
    ) -> Check:
        bounds = self._sum_rounds.bounds(number, asked)
        check = bounds.check_leaf_gradients if gradients_only else bounds.check_leaf_sums
        return lambda total: check(structures, total[:length])

    @property
    def _floor(self) -> int:
        return self._manager.contributors_floor

    def _counted(
        self, number: int, model: TreeModel, spent: frozenset[str] = frozenset()
    ) -> CountedLeaves | None:
        """Have structures proposed, and count the bakeries that have rows in each node.

        Nobody is counted anew without one bakery, as the difference would be that bakery's; nor
        over others than counts were opened before. None where nobody may be counted.
        """
        if not self._countable(number, spent):
            return None
        proposed = self._proposals.structures(number, model)
        unscored = PiggybackedEvaluation(self._sum_rounds, wanted=False)
        for attempt in retries(self._manager, number):
            attempt.asked = self._countable(number, spent | attempt.spent)
            if not attempt.asked:
                return None
            result = self._sum_rounds.run(
                number,
                model,
                self._requests(PRESENCE, attempt.asked, unscored, number=number),
                length=node_count(proposed),
                structures=proposed.to_bytes(),
                check=partial(check_presence, proposed, contributors=len(attempt.asked)),
            )
            if result.replies:
                counts = NodeCounts(result.total, frozenset(result.replies))
                return self._merged(CountedLeaves(proposed, counts), counts.bakeries, number)
            if result.absent:
                attempt.asked = sorted(result.absent)
        raise self._manager.failed(f"the counts of round {number}")

    def _countable(self, number: int, spent: frozenset[str]) -> tuple[str, ...]:
        """Name who may be counted: nobody who joined alone, and nobody where one is missing.

        Unless no leaves have been opened yet that could serve again: then so many others are left
        out with the missing one that the difference tells of none of them alone.
        """
        there, cohorts = self._proposals.trainers(number, spent), self._sum_rounds.cohorts
        chosen = cohorts.choose(TRAINING, there, there=there)
        if chosen or self._kept.serving(number):
            return chosen
        seed = derived_seed(self._settings.seed, "left out", number)
        return cohorts.enough_fewer(TRAINING, there, seed=seed)

    def _leaves(
        self,
        counted: CountedLeaves | None,
        there: Sequence[str],
        number: int,
        model: TreeModel,
    ) -> CountedLeaves:
        """Give the leaves to sum up: those counted; if one of them is gone, earlier ones."""
        if counted is not None and counted.counts.bakeries <= {*there}:
            return counted
        leaves = self._kept.serving(number)
        if leaves is not None:
            return self._merged(leaves, leaves.counts.bakeries & {*there}, number)
        spent = frozenset(self._manager.trainers) - {*there}
        leaves = self._counted(number, model, spent)
        if leaves is None:
            missing = self._sum_rounds.cohorts.missing(TRAINING)
            raise FederationError(
                f"round {number}: {missing or 'one'} is missing with whom counts were opened, "
                "no leaves have been opened yet that could serve again, and too few are left to "
                "begin with fewer: wait until it is back, or for newer rows, and begin anew"
            )
        return leaves

    def _noted(self, leaves: CountedLeaves | None, sums: Encoded) -> Encoded:
        """Put hessians to gradient sums that came alone; keep those that came, to serve again."""
        if leaves is None:
            return sums
        if leaves.hessians is not None:
            return leaves.sums_with(sums)
        self._kept.add(leaves.with_hessians(sums[1::2]))
        return sums

    def _merged(self, leaves: CountedLeaves, names: Collection[str], number: int) -> CountedLeaves:
        try:
            return leaves.among(names, floor=self._floor)
        except ModelError as error:
            raise FederationError(
                f"round {number}: min-contributors wants {self._floor} in every leaf: "
                f"{error}. More that have rows help, or a lower min-contributors, from 3 up"
            ) from error

    def _refitted(self, structures: Forest, encoded: Encoded, number: int) -> Forest:
        return refit.refitted(
            structures,
            encoded,
            rows=self._sum_rounds.totals(number).rows,
            learning_rate=self._manager.learning_rate,
            boosting=self._settings.boosting,
        )
