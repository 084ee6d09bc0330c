"""Which synchronous round makes a step of a buffer: an average, an optimiser's, refitted leaves."""

from __future__ import annotations

from glean.federation.coordination.global_model import GlobalModel
from glean.federation.server.buffered import BufferedStrategy
from glean.federation.server.fedavg import FedAvgStrategy
from glean.federation.server.leaf_refit import LeafRefitStrategy
from glean.federation.server.pipelined import PiggybackedEvaluation
from glean.federation.server.round_result import RoundResult
from glean.federation.server.server_optimizer import ServerOptimizerStrategy


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
