"""Rounds of `bagging` with scaled leaves and of `cyclic`: bakeries send trees, which are merged."""

from __future__ import annotations

from collections.abc import Sequence

from glean.aggregation.update import TreeUpdate
from glean.errors import ModelError
from glean.federation.conversation import EVALUATE, TRAIN
from glean.federation.council import Council
from glean.federation.global_model import GlobalModel
from glean.federation.messages import Contribution, Score
from glean.federation.steps import Steps
from glean.federation.trained import Trained
from glean.metrics import ErrorSums


class MergingCourse:
    """Asks for updates and merges them.

    Parameters
    ----------
    council : Council
        The bakeries.
    steps : Steps
        For scores that only count as a sum.
    """

    def __init__(self, council: Council, steps: Steps) -> None:
        self._council = council
        self._steps = steps

    def train(self, number: int, model: GlobalModel) -> Trained:
        """Have bakeries grow trees, and merge those that can be.

        Raises
        ------
        FederationError
            There are none.
        """
        aggregator = self._council.aggregator

        def collect(spent: set[str]) -> tuple[Sequence[str], list[TreeUpdate]]:
            there = self._council.present_trainers(number)
            trainers = [name for name in there if name not in spent]
            asked = aggregator.trainers(trainers, number) if trainers else ()
            return asked, self._updates(number, model, asked)

        phase = f"the train phase of round {number}"
        asked, updates = self._council.some(collect, number, phase)
        return Trained(aggregator.merge(model, updates), len(asked), len(updates))

    def evaluate(self, number: int, model: GlobalModel) -> dict[str, ErrorSums]:
        """Have bakeries score a model on their validation windows.

        Raises
        ------
        FederationError
            There is no valid score.
        """
        if not self._council.shows_scores:
            return self._steps.scores(number, model)

        def collect(spent: set[str]) -> tuple[Sequence[str], dict[str, ErrorSums]]:
            asked = self._council.judges(without=spent)
            return asked, self._scores(number, model, asked)

        phase = f"the evaluate phase of round {number}"
        return self._council.some(collect, number, phase)[1]

    def _updates(self, number: int, model: GlobalModel, asked: Sequence[str]) -> list[TreeUpdate]:
        council = self._council
        replies = council.converse(TRAIN, asked, model, number=number, form=Contribution)
        updates: list[TreeUpdate] = []
        for name, contribution in replies.items():
            try:
                updates.append(council.aggregator.accept(contribution))
                council.devices.add(contribution.device)
            except ModelError as error:
                council.talk.report_failure(name, str(error), round_number=number)
        return updates

    def _scores(
        self, number: int, model: GlobalModel, asked: Sequence[str]
    ) -> dict[str, ErrorSums]:
        council = self._council
        replies = council.converse(EVALUATE, asked, model, number=number, form=Score)
        scores: dict[str, ErrorSums] = {}
        for name, score in replies.items():
            try:
                scores[name] = score.error_sums()
            except ModelError as error:
                council.talk.report_failure(name, str(error), round_number=number)
        return scores
