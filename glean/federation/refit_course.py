"""Rounds of `bagging` with refitted leaves: some propose structures, all sum up their leaves."""

from __future__ import annotations

from collections.abc import Sequence

from glean.aggregation import refit
from glean.errors import FederationError, ModelError
from glean.federation.ahead_course import AheadCourse, ScoreRide
from glean.federation.global_model import GlobalModel, TreeModel
from glean.federation.orders import LEAVES, Orders
from glean.federation.sampling import derived_seed, draw
from glean.federation.trained import Trained
from glean.learning.forest import Forest


class RefitCourse(AheadCourse):
    """Two exchanges a round: structures from a few bakeries, leaf sums from all."""

    def _learn(self, number: int, model: GlobalModel, ride: ScoreRide) -> Trained:
        assert isinstance(model, TreeModel), "refitted leaves are those of trees"
        structures = self._structures(number, model)
        content = structures.to_bytes()
        length = refit.word_count(structures)
        phase = f"the leaf sums of round {number}"

        def collect(spent: set[str]) -> tuple[Sequence[str], list[Trained]]:
            asked = [name for name in self._trainers(number) if name not in spent]
            orders = self._orders(LEAVES, asked, ride, number=number)
            result = self._steps.run(
                number,
                model,
                orders,
                length=length + ride.length,
                structures=content,
            )
            ride.take(result, self._steps)
            learned = [name for name in asked if name in result.replies]
            if not learned:
                return asked, []
            news = refit.refitted(
                structures,
                result.total[:length],
                rows=self._steps.totals(number).rows,
                learning_rate=self._council.learning_rate,
                boosting=self._settings.boosting,
            )
            forest = model.forest.plus(news.trees)
            return asked, [Trained(model.grown(forest), len(asked), len(learned))]

        _, trained = self._council.some(collect, number, phase)
        return trained[0]

    def _trainers(self, number: int) -> tuple[str, ...]:
        there = self._council.present_trainers(number)
        return self._council.aggregator.trainers(there, number)

    def _structures(self, number: int, model: TreeModel) -> Forest:
        """Have some of the bakeries propose trees; all their structures, in order of the names."""
        seed = derived_seed(self._settings.seed, "proposals", number)
        most = self._settings.rounds.proposals_per_round

        def collect(spent: set[str]) -> tuple[Sequence[str], list[Forest]]:
            there = [name for name in self._trainers(number) if name not in spent]
            asked = draw(there, min(most, len(there)), seed=seed)
            return asked, self._proposals(number, model, asked)

        phase = f"the proposals of round {number}"
        _, proposals = self._council.some(collect, number, phase)
        return refit.joined(proposals)

    def _proposals(self, number: int, model: TreeModel, asked: Sequence[str]) -> list[Forest]:
        orders = {name: Orders(proposes=True) for name in asked}
        result = self._steps.run(number, model, orders, length=0)
        found: list[Forest] = []
        for name, reply in result.replies.items():
            try:
                found.append(self._council.aggregator.accept_structure(reply))
                self._council.devices.add(reply.device)
            except (ModelError, FederationError) as error:
                self._council.talk.report_failure(name, str(error), round_number=number)
        return found
