"""Rounds of `bagging` with scaled leaves and of `cyclic`: bakeries send trees, which are merged."""

from __future__ import annotations

from collections.abc import Sequence

from glean.aggregation.update import TreeUpdate
from glean.errors import ModelError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.exchange import EVALUATE, TRAIN
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.server.round_result import RoundResult
from glean.federation.wire.messages import EvaluateReply, TrainReply
from glean.metrics import ErrorSums


class TreeMergingStrategy:
    """Asks for updates and merges them.

    Parameters
    ----------
    council : ClientManager
        The bakeries.
    steps : SumRounds
        For scores that only count as a sum.
    """

    def __init__(self, manager: ClientManager, steps: SumRounds) -> None:
        self._manager = manager
        self._steps = steps

    def train(self, number: int, model: GlobalModel) -> RoundResult:
        """Have bakeries grow trees, and merge those that can be.

        Raises
        ------
        FederationError
            There are none.
        """
        aggregator = self._manager.aggregator

        def collect(spent: set[str]) -> tuple[Sequence[str], list[TreeUpdate]]:
            there = self._manager.present_trainers(number)
            trainers = [name for name in there if name not in spent]
            asked = aggregator.trainers(trainers, number) if trainers else ()
            return asked, self._updates(number, model, asked)

        phase = f"the train phase of round {number}"
        asked, updates = self._manager.some(collect, number, phase)
        return RoundResult(aggregator.merge(model, updates), len(asked), len(updates))

    def evaluate(self, number: int, model: GlobalModel) -> dict[str, ErrorSums]:
        """Have bakeries score a model on their validation windows.

        Raises
        ------
        FederationError
            There is no valid score.
        """
        if not self._manager.shows_scores:
            return self._steps.scores(number, model)

        def collect(spent: set[str]) -> tuple[Sequence[str], dict[str, ErrorSums]]:
            asked = self._manager.sample_evaluators(without=spent)
            return asked, self._scores(number, model, asked)

        phase = f"the evaluate phase of round {number}"
        return self._manager.some(collect, number, phase)[1]

    def _updates(self, number: int, model: GlobalModel, asked: Sequence[str]) -> list[TreeUpdate]:
        manager = self._manager
        replies = manager.request(TRAIN, asked, model, number=number, form=TrainReply)
        updates: list[TreeUpdate] = []
        for name, contribution in replies.items():
            try:
                updates.append(manager.aggregator.accept(contribution))
                manager.devices.add(contribution.device)
            except ModelError as error:
                manager.clients.report_failure(name, str(error), round_number=number)
        return updates

    def _scores(
        self, number: int, model: GlobalModel, asked: Sequence[str]
    ) -> dict[str, ErrorSums]:
        manager = self._manager
        replies = manager.request(EVALUATE, asked, model, number=number, form=EvaluateReply)
        scores: dict[str, ErrorSums] = {}
        for name, score in replies.items():
            try:
                scores[name] = score.error_sums()
            except ModelError as error:
                manager.clients.report_failure(name, str(error), round_number=number)
        return scores
