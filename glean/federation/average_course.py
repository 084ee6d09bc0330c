"""Rounds of `fedavg`: weights after local training, averaged by one sum."""

from __future__ import annotations

from glean.aggregation import fedavg
from glean.federation.ahead_course import AheadCourse, ScoreRide
from glean.federation.global_model import GlobalModel, WeightModel
from glean.federation.orders import WEIGHTS
from glean.federation.trained import Trained


class AverageCourse(AheadCourse):
    """Sums weights times the bakeries' own weight, and divides by the sum of these."""

    def _learn(self, number: int, model: GlobalModel, ride: ScoreRide) -> Trained:
        assert isinstance(model, WeightModel), "fedavg averages weights"
        length = fedavg.word_count(model.weights)
        phase = f"the train phase of round {number}"

        def collect(spent: set[str]) -> tuple[tuple[str, ...], list[Trained]]:
            there = [n for n in self._council.present_trainers(number) if n not in spent]
            asked = self._council.aggregator.trainers(there, number) if there else ()
            orders = self._orders(WEIGHTS, asked, ride, number=number)
            result = self._steps.run(number, model, orders, length=length + ride.length)
            ride.take(result, self._steps)
            learned = [name for name in asked if name in result.replies]
            if not learned:
                return asked, []
            rows = self._steps.totals(number).rows
            weights = fedavg.mean(result.total[:length], like=model.weights, rows=rows)
            return asked, [Trained(WeightModel(weights), len(asked), len(learned))]

        _, trained = self._council.some(collect, number, phase)
        return trained[0]
