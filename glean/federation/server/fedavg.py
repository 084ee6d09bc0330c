"""Rounds of `fedavg`: weights after local training, averaged by one sum."""

from __future__ import annotations

from glean.aggregation import fedavg
from glean.federation.coordination.global_model import GlobalModel, WeightModel
from glean.federation.coordination.retries import retries
from glean.federation.server.first_model import first_weights
from glean.federation.server.pipelined import PiggybackedEvaluation, PipelinedStrategy
from glean.federation.server.round_result import RoundResult
from glean.federation.wire.sum_request import WEIGHTS


class FedAvgStrategy(PipelinedStrategy):
    """Sums weights times the bakeries' own weight, and divides by the sum of these."""

    def first_model(self) -> WeightModel:
        """Draw the weights before the first round."""
        return first_weights(self._manager)

    def _train(
        self, number: int, model: GlobalModel, state: bytes, evaluation: PiggybackedEvaluation
    ) -> RoundResult:
        assert isinstance(model, WeightModel), "fedavg averages weights"
        length = fedavg.encoded_length(model.weights)
        for attempt in retries(self._manager, number):
            asked = self._manager.sample_trainers(number, without=attempt.spent)
            attempt.asked = asked
            requests = self._requests(WEIGHTS, asked, evaluation, number=number)
            result = self._sum_rounds.run(
                number, model, requests, length=length + evaluation.length
            )
            evaluation.take(result)
            learned = [name for name in asked if name in result.replies]
            if learned:
                rows = self._sum_rounds.totals(number).rows
                weights = fedavg.mean(result.total[:length], like=model.weights, rows=rows)
                return RoundResult(WeightModel(weights), len(asked), len(learned), state)
        raise self._manager.failed(f"the train phase of round {number}")
