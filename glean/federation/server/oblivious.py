"""Rounds of `oblivious`: random trees that all know from the seed get leaves from sums over all.

Two kinds of sums make the model: the weight in each leaf of all rounds' trees, once before the
first round, and gradients by leaf, once a round. With `privacy=noise` both carry noise, and so do
the few scores (`coordination/noised_scores.py`); nothing else is opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from glean.aggregation.oblivious import decoded, leaf_values
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.global_model import GlobalModel, TreeModel
from glean.federation.coordination.retries import retries
from glean.federation.coordination.sum_noise import largest_noise, noise_in
from glean.federation.coordination.sum_result import SumResult
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.coordination.wanted_sum import Check
from glean.federation.server.first_model import first_trees, tree_layout
from glean.federation.server.pipelined import PiggybackedEvaluation, PipelinedStrategy
from glean.federation.server.round_result import RoundResult
from glean.federation.wire.sum_request import DAY_GRADIENTS, DAY_HESSIANS, SumRequest
from glean.learning.oblivious_trees import LEAVES_PER_ROUND, random_trees, with_leaves
from glean.privacy.noise_budget import relied_on

Floats = NDArray[np.float64]


class ObliviousStrategy(PipelinedStrategy):
    """One exchange a round and one before the first; its state are the hessians of all rounds."""

    def __init__(self, manager: ClientManager, sum_rounds: SumRounds) -> None:
        super().__init__(manager, sum_rounds)
        self._layout = tree_layout(manager)
        self._noised = self._settings.noise.wanted
        self._weighed: frozenset[str] = frozenset()

    def first_model(self) -> TreeModel:
        """Give the model before the first round."""
        return first_trees(self._manager)

    def init(self, model: GlobalModel) -> bytes:
        """Sum up the weight in each leaf of all rounds' trees, float64.

        Raises
        ------
        FederationError
            Nobody gave a valid reply, or too few for the noise that is accounted.
        """
        length = LEAVES_PER_ROUND * self._settings.rounds.num_server_rounds
        nothing = PiggybackedEvaluation(self._sum_rounds, wanted=False)
        bounds = self._sum_rounds.bounds(1, self._manager.trainers)
        check = partial(
            bounds.check_day_hessians, noise=largest_noise(self._sum_rounds, DAY_HESSIANS)
        )
        _, result = self._summed(DAY_HESSIANS, 1, model, length, nothing, check)
        self._weighed = frozenset(result.replies)
        return decoded(result.total).tobytes()

    def _train(
        self, number: int, model: GlobalModel, state: bytes, evaluation: PiggybackedEvaluation
    ) -> RoundResult:
        assert isinstance(model, TreeModel), "random trees are trees"
        hessians = np.frombuffer(state).reshape(-1, LEAVES_PER_ROUND)[number - 1]
        asked, result = self._summed(
            DAY_GRADIENTS,
            number,
            model,
            LEAVES_PER_ROUND,
            evaluation,
            self._gradient_check(hessians, number),
        )
        learned = [name for name in asked if name in result.replies]
        stands_for = self._stands_for(learned)
        values = leaf_values(
            decoded(result.total[:LEAVES_PER_ROUND]) * stands_for,
            hessians,
            noise=self._noise_in(learned) * stands_for,
            learning_rate=self._manager.learning_rate,
        )
        trees = random_trees(self._layout, seed=self._settings.seed, number=number)
        grown = model.grown(model.forest.plus(with_leaves(trees, values)))
        return RoundResult(
            grown, len(asked), len(learned), state, learned=dict.fromkeys(learned, 0)
        )

    def _summed(
        self,
        part: str,
        number: int,
        model: GlobalModel,
        length: int,
        evaluation: PiggybackedEvaluation,
        check: Check,
    ) -> tuple[tuple[str, ...], SumResult]:
        """Have all who can learn sum a part; who was asked, and what came."""
        for attempt in retries(self._manager, number):
            evaluation.without = attempt.spent
            asked = self._manager.sample_trainers(number, without=attempt.spent)
            attempt.asked = asked
            result = self._sum_rounds.run(
                number,
                model,
                self._asking(part, number, asked, evaluation),
                length=length + evaluation.length,
                at_least=self._fewest,
                check=check,
            )
            evaluation.take(result)
            if result.absent:
                attempt.asked = sorted(result.absent)
            if any(name in result.replies for name in asked):
                return asked, result
        raise self._manager.failed(f"the {part} of round {number}")

    def _asking(
        self, part: str, number: int, asked: tuple[str, ...], evaluation: PiggybackedEvaluation
    ) -> dict[str, SumRequest]:
        if not self._noised:
            return self._requests(part, asked, evaluation, number=number)
        return dict.fromkeys(asked, SumRequest((part,), (part,), num_clients=self._roster))

    def _gradient_check(self, hessians: Floats, number: int) -> Check:
        # Of who came after the weights were summed these bounds know nothing.
        joined = {*self._manager.trainers} - self._weighed
        bounds = self._sum_rounds.bounds(number, self._manager.trainers)
        bounds = replace(bounds, times=max(bounds.times, 1 + len(joined)))
        if self._sum_rounds.groups is not None:
            # A leaf may be one group's, and of each group's own weights nothing is kept.
            hessians = np.full_like(hessians, bounds.weight)
        noise, hessian_noise = self._gradient_noise, largest_noise(self._sum_rounds, DAY_HESSIANS)
        return lambda total: bounds.check_day_gradients(
            total[:LEAVES_PER_ROUND], hessians, noise=noise, hessian_noise=hessian_noise
        )

    @property
    def _roster(self) -> int:
        """Bakeries that can learn and ever registered: two thirds of them give the whole noise."""
        return len(self._manager.trainers)

    @property
    def _fewest(self) -> int:
        """Vectors without which a sum with noise stays unopened."""
        return relied_on(self._roster) if self._noised else 0

    @property
    def _gradient_noise(self) -> float:
        """Standard deviation of the noise in a sum of gradients, at most."""
        return largest_noise(self._sum_rounds, DAY_GRADIENTS)

    def _noise_in(self, learned: Sequence[str]) -> float:
        """Give the standard deviation of the noise in the sum of some bakeries' gradients."""
        return noise_in(self._sum_rounds, DAY_GRADIENTS, learned)

    def _stands_for(self, learned: Sequence[str]) -> float:  # noqa: ARG002
        """Say by how much more the sum counts than those in it: not at all, it is of all."""
        return 1.0
