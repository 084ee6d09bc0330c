"""Rounds of `fedadam`, `fedyogi` and `fedavgm`: the clients' mean goes through an optimiser."""

from __future__ import annotations

from glean.aggregation.server_optimizers import Moments, first_moments, flat, stepped
from glean.federation.coordination.global_model import GlobalModel, WeightModel
from glean.federation.server.fedavg import FedAvgStrategy
from glean.learning.model_weights import Weights


class ServerOptimizerStrategy(FedAvgStrategy):
    """Sums as `fedavg` does; its state is the optimiser's moments."""

    def init(self, model: GlobalModel) -> bytes:
        """Begin without a past."""
        assert isinstance(model, WeightModel), "an optimiser moves weights"
        return first_moments(model.weights).to_bytes()

    def _next(self, mean: Weights, before: Weights, state: bytes) -> tuple[Weights, bytes]:
        rounds = self._settings.rounds
        moments = Moments.from_bytes(state, len(flat(before)))
        weights, moments = stepped(
            rounds.kind.server_optimizer,
            before,
            mean,
            moments,
            learning_rate=rounds.server_learning_rate,
        )
        return weights, moments.to_bytes()
