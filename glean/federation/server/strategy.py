"""The phases of a round: training by the run's aggregation, scoring, the final test.

What can't be trusted is left out and named. Where all that were asked went while they worked, those
who are there then are asked in their place.
"""

from __future__ import annotations

from typing import Protocol

from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.server.fedavg import FedAvgStrategy
from glean.federation.server.histogram import HistogramStrategy
from glean.federation.server.leaf_refit import LeafRefitStrategy
from glean.federation.server.round_result import RoundResult
from glean.federation.server.tree_merging import TreeMergingStrategy
from glean.federation.wire.messages import FinalReply, FinalTask
from glean.metrics import ErrorSums


class Strategy(Protocol):
    """How an aggregation trains and scores."""

    def train(self, number: int, model: GlobalModel) -> RoundResult:
        """Have bakeries learn; the next model."""

    def evaluate(self, number: int, model: GlobalModel) -> dict[str, ErrorSums]:
        """Have bakeries score a model on their validation windows."""


def strategy_of(manager: ClientManager, steps: SumRounds) -> Strategy:
    """Choose by the run's settings how its rounds go."""
    rounds = manager.settings.rounds
    if rounds.aggregation == "histogram":
        return HistogramStrategy(manager, steps)
    if rounds.aggregation == "fedavg":
        return FedAvgStrategy(manager, steps)
    return (
        LeafRefitStrategy(manager, steps)
        if rounds.kind.leaves_are_sums
        else TreeMergingStrategy(manager, steps)
    )


def test_phase(
    manager: ClientManager, kind: str, number: int, model: GlobalModel, *, errors: str
) -> dict[str, str]:
    """Have all that are there judge a model on their test windows; JSON of their rows."""
    manager.gather(number, at_least=1)
    names = sorted(manager.clients.present)
    tasks = {name: manager.task(name, model, number, whole=True) for name in names}
    records = {n: FinalTask(**vars(task), errors=errors).to_record() for n, task in tasks.items()}
    replies = manager.replies(kind, records, FinalReply, number=number)
    return {name: scores.rows for name, scores in replies.items()}
