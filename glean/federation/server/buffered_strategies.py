"""Which synchronous round makes a step of a buffer: an average, an optimiser's, leaves of trees."""

from __future__ import annotations

from collections.abc import Sequence

from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.sum_noise import noise_among
from glean.federation.server.buffered import BufferedStrategy
from glean.federation.server.fedavg import FedAvgStrategy
from glean.federation.server.leaf_refit import LeafRefitStrategy
from glean.federation.server.oblivious import ObliviousStrategy
from glean.federation.server.pipelined import PiggybackedEvaluation
from glean.federation.server.round_result import RoundResult
from glean.federation.server.server_optimizer import ServerOptimizerStrategy
from glean.federation.wire.sum_request import DAY_GRADIENTS


class BufferedFedAvg(BufferedStrategy, FedAvgStrategy):
    """Averages the updates of a buffer, each by its weight and staleness."""

    def _step(
        self, number: int, model: GlobalModel, state: bytes, evaluation: PiggybackedEvaluation
    ) -> RoundResult:
        return super(BufferedStrategy, self)._train(number, model, state, evaluation)

    def _roster(self) -> int:
        """Count the buffer: so many share the noise of its sum, which is all that is accounted."""
        return self._size

    def _fewest(self) -> int:
        """Count the vectors without which a buffer stays unopened."""
        return max(super()._fewest(), self._manager.contributors_floor)


class BufferedOptimizer(BufferedFedAvg, ServerOptimizerStrategy):
    """Takes that average as a step of the server's optimiser."""

    def _inner_state(self, model: GlobalModel) -> bytes:
        return super(BufferedStrategy, self).init(model)


class BufferedLeafRefit(BufferedStrategy, LeafRefitStrategy):
    """Refits leaves by the sums of a buffer, each client's by the model that it began with."""

    def _step(
        self, number: int, model: GlobalModel, state: bytes, evaluation: PiggybackedEvaluation
    ) -> RoundResult:
        return super(BufferedStrategy, self)._train(number, model, state, evaluation)


class BufferedOblivious(BufferedStrategy, ObliviousStrategy):
    """Gives random trees leaves by the gradients of a buffer, which stand for those of all.

    How much weight is in each leaf is summed up over all, once, before anybody trains. Of the
    gradients that follow, a buffer's are taken as those of a sample: noise is all in them, and
    counts for so many more too.
    """

    def _step(
        self, number: int, model: GlobalModel, state: bytes, evaluation: PiggybackedEvaluation
    ) -> RoundResult:
        return super(BufferedStrategy, self)._train(number, model, state, evaluation)

    def _inner_state(self, model: GlobalModel) -> bytes:
        return super(BufferedStrategy, self).init(model)

    @property
    def _roster(self) -> int:
        """Count the buffer, whose noise is all that is accounted; before the first, all."""
        return self._size or super()._roster

    @property
    def _fewest(self) -> int:
        return max(super()._fewest, self._manager.contributors_floor if self._noised else 0)

    @property
    def _gradient_noise(self) -> float:
        return noise_among(self._sum_rounds, DAY_GRADIENTS, self._roster)

    def _noise_in(self, learned: Sequence[str]) -> float:
        return noise_among(self._sum_rounds, DAY_GRADIENTS, self._roster, senders=len(learned))

    def _stands_for(self, learned: Sequence[str]) -> float:
        return len(self._manager.trainers) / max(1, len(learned))
