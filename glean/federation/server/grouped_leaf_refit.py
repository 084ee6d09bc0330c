"""Rounds of `bagging` with refitted leaves where sums are made in groups.

Each group counts its own bakeries by node, merges its own thin leaves and opens sums of what is
left; a leaf takes the median of the groups' values (`aggregation/grouped_refit.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial

import numpy as np

from glean.aggregation import refit
from glean.aggregation.count_bounds import check_presence
from glean.aggregation.grouped_refit import GroupedLeaves, group_values, median_refitted
from glean.aggregation.leaf_floor import CountedLeaves, NodeCounts
from glean.errors import ImpossibleSumError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.global_model import GlobalModel, TreeModel
from glean.federation.coordination.grouped_sums import GroupedSums
from glean.federation.coordination.groups import Groups
from glean.federation.coordination.retries import retries
from glean.federation.coordination.sum_result import SumResult
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.coordination.wanted_sum import Encoded, WantedSum
from glean.federation.server.first_model import first_trees
from glean.federation.server.kept_leaves import KeptGroupedLeaves
from glean.federation.server.pipelined import PiggybackedEvaluation, PipelinedStrategy
from glean.federation.server.round_result import RoundResult
from glean.federation.server.structure_proposals import StructureProposals
from glean.federation.wire.opened_cohorts import TRAINING
from glean.federation.wire.sum_request import LEAF_GRADIENTS, LEAVES, PRESENCE
from glean.learning.forest import Forest
from glean.learning.structure import node_count

Opened = Mapping[int, SumResult]
"""What came of groups, by group."""


class GroupedLeafRefitStrategy(PipelinedStrategy):
    """Three exchanges a round: structures from a few bakeries, counts by node, leaf sums.

    A group of which a counted bakery is gone sits out. Where half of the groups or more would, no
    group is counted: the structures of an earlier round serve again, with the hessians that each
    group had and fresh gradient sums.

    Parameters
    ----------
    manager : ClientManager
        The bakeries.
    sums : SumRounds
        Sums over them, in groups.
    """

    def __init__(self, manager: ClientManager, sums: SumRounds) -> None:
        assert isinstance(sums, GroupedSums), "sums in one have another strategy"
        super().__init__(manager, sums)
        self._sums = sums
        self._groups: Groups = sums.groups
        self._proposals = StructureProposals(manager, sums)
        self._kept = KeptGroupedLeaves(manager.clients.folder)

    def first_model(self) -> TreeModel:
        """Begin without trees."""
        return first_trees(self._manager)

    def _train(
        self, number: int, model: GlobalModel, state: bytes, evaluation: PiggybackedEvaluation
    ) -> RoundResult:
        assert isinstance(model, TreeModel), "refitted leaves are those of trees"
        counted = self._counted(number, model)
        usable = 0
        for attempt in retries(self._manager, number):
            there = frozenset(self._proposals.trainers(number, attempt.spent))
            leaves = self._serving(counted, there, number, model)
            if leaves is None:
                break
            asked = leaves.bakeries & there
            scoring = self._scoring(evaluation, leaves, attempt.spent)
            opened = self._leaf_sums(leaves, asked, number, model, scoring)
            usable = len(opened)
            if usable >= self._groups.least:
                scoring.take(_joined(opened))
                used, trees = self._refitted(leaves, opened, number)
                learned = sum(len(asked & one.replies.keys()) for one in used.values())
                grown = model.grown(model.forest.plus(trees.trees))
                return RoundResult(grown, len(asked), learned, state)
            attempt.asked = sorted(self._sums.silent)
            if not attempt.asked:
                break
        raise ImpossibleSumError(
            f"found {usable} of {self._groups.count} groups whose leaf sums can be used; wanted "
            f"{self._groups.least} or more"
        )

    def _counted(self, number: int, model: TreeModel) -> GroupedLeaves | None:
        """Have structures proposed, and the bakeries counted by node in each group.

        None where in half of the groups or more nobody may be counted.
        """
        there = self._proposals.trainers(number)
        asked = self._sums.cohorts.choose(TRAINING, there, there=there)
        if not asked:
            return None
        proposed = self._proposals.structures(number, model)
        unscored = PiggybackedEvaluation(self._sums, wanted=False)
        requests = self._requests(PRESENCE, asked, unscored, number=number)
        length, structures = node_count(proposed), proposed.to_bytes()
        opened = self._sums.run_each(
            {
                place: WantedSum(
                    number,
                    model,
                    requests,
                    length,
                    structures,
                    complete=False,
                    at_least=0,
                    check=partial(check_presence, proposed, contributors=len(names)),
                )
                for place, names in self._groups.parted(asked)
            }
        )
        counted = {
            place: CountedLeaves(proposed, NodeCounts(one.total, frozenset(one.replies)))
            for place, one in opened.items()
        }
        found = GroupedLeaves(proposed, counted)
        return found.among(found.bakeries, floor=self._groups.floor)

    def _serving(
        self,
        counted: GroupedLeaves | None,
        there: Collection[str],
        number: int,
        model: GlobalModel,
    ) -> GroupedLeaves | None:
        """Give the leaves to sum up: those counted; earlier ones if too many groups lack somebody.

        None where neither are of enough groups.
        """
        found = [counted.of_whole_groups(there)] if counted is not None else []
        found += [
            kept.among(there, floor=self._groups.floor) for kept in self._kept.serving(number)
        ]
        before = self._sums.cohorts.learned_from(model.state)
        for leaves in found:
            # Gradients of one model over two cohorts of a group would tell of those in one alone.
            same = leaves.over_same_cohorts(there, before)
            if len(same.groups) >= self._groups.least:
                return same
        return None

    def _scoring(
        self, evaluation: PiggybackedEvaluation, leaves: GroupedLeaves, spent: Collection[str]
    ) -> PiggybackedEvaluation:
        """Have scores asked for apart that would keep leaves closed, or that a group sits out."""
        sits_out = self._manager.shows_scores and len(leaves.groups) < self._groups.count
        if sits_out or not {*evaluation.evaluators}.isdisjoint(spent):
            return PiggybackedEvaluation(self._sums, wanted=False)
        return evaluation

    def _leaf_sums(
        self,
        leaves: GroupedLeaves,
        asked: Collection[str],
        number: int,
        model: TreeModel,
        evaluation: PiggybackedEvaluation,
    ) -> Opened:
        """Have each group sum up its own leaves; what came of those of which nobody is missing."""
        part = LEAF_GRADIENTS if leaves.hessians_known else LEAVES
        bounds = self._sums.bounds(number, asked)
        check = bounds.check_leaf_gradients if leaves.hessians_known else bounds.check_leaf_sums
        requests = self._requests(part, asked, evaluation, number=number)
        wanted: dict[int, WantedSum] = {}
        for place, one in leaves.groups.items():
            length = refit.encoded_length(one.structures) // (1 + leaves.hessians_known)
            wanted[place] = WantedSum(
                number,
                model,
                requests,
                length + evaluation.length,
                one.structures.to_bytes(),
                complete=True,
                at_least=0,
                check=partial(_check_first, check, one.structures, length),
            )
        return self._sums.run_each(wanted)

    def _refitted(
        self, leaves: GroupedLeaves, opened: Opened, number: int
    ) -> tuple[Opened, Forest]:
        """Give the leaves their values, without groups that are off; keep what was opened."""
        rows = self._sums.totals(number).rows
        pairs = {place: leaves.pairs(place, one.total) for place, one in opened.items()}
        values = np.stack(
            [
                group_values(
                    leaves.proposed,
                    leaves.groups[place].structures,
                    pairs[place],
                    share=self._share(one),
                    rows=rows,
                    boosting=self._settings.boosting,
                )
                for place, one in opened.items()
            ]
        )
        used = self._sums.without_off(opened, values, np.ones(len(values)), number)
        if not leaves.hessians_known:
            self._kept.add(number, leaves.with_hessians({place: pairs[place] for place in used}))
        chosen = values[[place in used for place in opened]]
        rate = self._manager.learning_rate
        return used, median_refitted(leaves.proposed, chosen, learning_rate=rate)

    def _share(self, result: SumResult) -> float:
        """Say which part of the bakeries that learn a sum is of."""
        return len(self._groups.trainers & result.replies.keys()) / len(self._groups.trainers)


def _check_first(
    check: Callable[[Forest, Encoded], None], structures: Forest, length: int, total: Encoded
) -> None:
    check(structures, total[:length])


def _joined(opened: Opened) -> SumResult:
    """Put what came of groups together, as far as scores are read of it."""
    replies = {name: reply for one in opened.values() for name, reply in one.replies.items()}
    requests = {name: asked for one in opened.values() for name, asked in one.requests.items()}
    return SumResult(
        dict(sorted(replies.items())), np.empty(0, dtype=np.int64), requests, groups=opened
    )
