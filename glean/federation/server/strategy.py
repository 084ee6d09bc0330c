"""How an aggregation trains and scores, and the strategy that a run's settings name.

No strategy is imported here: the table of aggregations says where each is, and only the one
that a run needs is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Protocol

from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.metric_rounds import Scores
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.server.round_result import RoundResult


class Strategy(Protocol):
    """How an aggregation trains and scores.

    What an aggregation remembers from round to round, like the moments of an optimiser at the
    server, goes through its methods as bytes and is never kept in the object: rounds may be
    trained ahead of the one that is written down, and a run that resumes hands in what a
    checkpoint kept.
    """

    def first_model(self) -> GlobalModel:
        """Make the model before the first round."""

    def init(self, model: GlobalModel) -> bytes:
        """Make the state before the first round; b"" for an aggregation that has none."""

    def train(self, number: int, model: GlobalModel, state: bytes) -> RoundResult:
        """Have bakeries learn in a round: the next model and the next state."""

    def evaluate(self, number: int, model: GlobalModel, state: bytes) -> Scores:
        """Have bakeries score the model after a round on their validation windows.

        The state is the one after that round, for a strategy that trains on the way.
        """

    def after_loss(self, state: bytes) -> bytes:
        """Give the state to go on from where the round that was trained last is lost.

        That is the one before the round, unless time has gone on.
        """


def strategy_of(manager: ClientManager, sum_rounds: SumRounds) -> Strategy:
    """Make the strategy of a run's aggregation; in groups another, if it has one for them."""
    rounds = manager.settings.rounds
    kind = rounds.kind
    grouped = "" if sum_rounds.groups is None else kind.grouped_strategy
    buffered = kind.buffered_strategy if rounds.buffered else ""
    module, _, name = (buffered or grouped or kind.strategy).partition(":")
    make: Callable[[ClientManager, SumRounds], Strategy] = getattr(import_module(module), name)
    return make(manager, sum_rounds)
