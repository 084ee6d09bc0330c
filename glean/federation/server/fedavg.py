"""Rounds of `fedavg`: weights after local training, averaged by one sum."""

from __future__ import annotations

from glean.aggregation import fedavg
from glean.federation.coordination.global_model import GlobalModel, WeightModel
from glean.federation.server.pipelined import PiggybackedEvaluation, PipelinedStrategy
from glean.federation.server.round_result import RoundResult
from glean.federation.wire.sum_request import WEIGHTS


class FedAvgStrategy(PipelinedStrategy):
    """Sums weights times the bakeries' own weight, and divides by the sum of these."""

    def _train(self, number: int, model: GlobalModel, ride: PiggybackedEvaluation) -> RoundResult:
        assert isinstance(model, WeightModel), "fedavg averages weights"
        length = fedavg.encoded_length(model.weights)
        phase = f"the train phase of round {number}"

        def collect(spent: set[str]) -> tuple[tuple[str, ...], list[RoundResult]]:
            there = [n for n in self._manager.present_trainers(number) if n not in spent]
            asked = self._manager.aggregator.trainers(there, number) if there else ()
            orders = self._requests(WEIGHTS, asked, ride, number=number)
            result = self._steps.run(number, model, orders, length=length + ride.length)
            ride.take(result, self._steps)
            learned = [name for name in asked if name in result.replies]
            if not learned:
                return asked, []
            rows = self._steps.totals(number).rows
            weights = fedavg.mean(result.total[:length], like=model.weights, rows=rows)
            return asked, [RoundResult(WeightModel(weights), len(asked), len(learned))]

        _, trained = self._manager.some(collect, number, phase)
        return trained[0]
