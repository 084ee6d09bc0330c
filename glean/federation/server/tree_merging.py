"""Rounds in which bakeries send trees that are merged as they come, not summed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from glean.aggregation.update import TreeUpdate
from glean.errors import ModelError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.exchange import EVALUATE, TRAIN
from glean.federation.coordination.global_model import GlobalModel, TreeModel
from glean.federation.coordination.metric_rounds import Scores, sum_scores
from glean.federation.coordination.reply_checks import TreeChecks
from glean.federation.coordination.retries import retries
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.server.first_model import first_trees, tree_layout
from glean.federation.server.round_result import RoundResult
from glean.federation.wire.messages import EvaluateReply, TrainReply
from glean.federation.workload.registry import workload_of
from glean.learning.forest import Forest
from glean.metric_sums import MetricSums


class TreeMergingStrategy(ABC):
    """Asks for updates and merges them.

    Parameters
    ----------
    manager : ClientManager
        The bakeries.
    sum_rounds : SumRounds
        For scores that only count as a sum.
    """

    def __init__(self, manager: ClientManager, sum_rounds: SumRounds) -> None:
        self._manager = manager
        self._sum_rounds = sum_rounds
        self._checks = TreeChecks(manager.settings, manager.spec, tree_layout(manager))

    def first_model(self) -> TreeModel:
        """Begin without trees."""
        return first_trees(self._manager)

    def init(self, model: GlobalModel) -> bytes:  # noqa: ARG002
        """Have no state."""
        return b""

    def after_loss(self, state: bytes) -> bytes:
        """Go on from where the round began."""
        return state

    def train(self, number: int, model: GlobalModel, state: bytes) -> RoundResult:
        """Have bakeries grow trees, and merge those that can be.

        Raises
        ------
        FederationError
            There are none.
        """
        assert isinstance(model, TreeModel), "trees are merged into trees"
        for attempt in retries(self._manager, number):
            asked = self._trainers(number, attempt.spent)
            attempt.asked = asked
            updates = self._updates(number, model, asked)
            if updates:
                grown = model.grown(self._merged(model.forest, updates))
                return RoundResult(grown, len(asked), len(updates), state)
        raise self._manager.failed(f"the train phase of round {number}")

    def evaluate(self, number: int, model: GlobalModel, state: bytes) -> Scores:  # noqa: ARG002
        """Have bakeries score a model on their validation windows.

        Raises
        ------
        FederationError
            There is no valid score.
        """
        if not self._manager.shows_scores:
            return sum_scores(self._sum_rounds, number, model)
        for attempt in retries(self._manager, number):
            attempt.asked = self._manager.sample_evaluators(without=attempt.spent)
            scores = self._scores(number, model, attempt.asked)
            if scores:
                return scores
        raise self._manager.failed(f"the evaluate phase of round {number}")

    @abstractmethod
    def _trainers(self, number: int, spent: frozenset[str]) -> tuple[str, ...]:
        """Name who trains in a round."""

    @abstractmethod
    def _merged(self, forest: Forest, updates: Sequence[TreeUpdate]) -> Forest:
        """Make the next forest of the one before and the round's updates."""

    def _updates(self, number: int, model: GlobalModel, asked: Sequence[str]) -> list[TreeUpdate]:
        manager = self._manager
        replies = manager.request(TRAIN, asked, model, number=number, form=TrainReply)
        updates: list[TreeUpdate] = []
        for name, reply in replies.items():
            try:
                updates.append(self._checks.update_of(reply))
                manager.devices.add(reply.device)
            except ModelError as error:
                manager.clients.report_failure(name, str(error), round_number=number)
        return updates

    def _scores(self, number: int, model: GlobalModel, asked: Sequence[str]) -> Scores:
        manager = self._manager
        replies = manager.request(EVALUATE, asked, model, number=number, form=EvaluateReply)
        metrics = workload_of(manager.settings).metrics
        scores: dict[str, MetricSums] = {}
        for name, reply in replies.items():
            try:
                scores[name] = metrics.from_values(reply.sums)
            except ModelError as error:
                manager.clients.report_failure(name, str(error), round_number=number)
        return scores
