"""Rounds whose model is made of sums: scores of one model ride along with learning from it.

A message is dear, so a model is scored in the messages that already make the next one. What was
learned that way is kept until the next round asks for it; after the last round, and where training
stops early, nothing follows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

from glean.aggregation.metric_sums import SUMS_LENGTH
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.sum_rounds import SumResult, SumRounds
from glean.federation.server.round_result import RoundResult
from glean.federation.wire.sum_request import SCORES, SumRequest
from glean.metrics import ErrorSums


@dataclass(frozen=True)
class _Ahead:
    """What was learned from a model while it was scored."""

    number: int
    state: str
    trained: RoundResult


class PiggybackedEvaluation:
    """Scores that ride along with one step.

    Parameters
    ----------
    council : ClientManager
        The bakeries.
    rides : bool
        False: nothing is to be scored.
    """

    def __init__(self, manager: ClientManager, *, rides: bool) -> None:
        self._manager = manager
        self.wanted = rides
        self.scores: dict[str, ErrorSums] = {}

    @property
    def evaluators(self) -> tuple[str, ...]:
        """Bakeries that are to score in the next step."""
        return self._manager.sample_evaluators() if self.wanted else ()

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts of the vector that the scores take."""
        return (SCORES,) if self.wanted and not self._manager.shows_scores else ()

    @property
    def length(self) -> int:
        """Words of the vector that the scores take."""
        return SUMS_LENGTH * len(self.parts)

    def take(self, result: SumResult, steps: SumRounds) -> None:
        """Read the scores of a step in which they rode, if they did."""
        if self.wanted and result.replies:
            self.scores = steps.scores_in(result, hidden=bool(self.parts))
            self.wanted = not self.scores


class PipelinedStrategy(ABC):
    """Trains and scores in the same messages.

    Parameters
    ----------
    council : ClientManager
        The bakeries.
    steps : SumRounds
        Sums over them.
    """

    def __init__(self, manager: ClientManager, steps: SumRounds) -> None:
        self._manager = manager
        self._steps = steps
        self._settings = manager.settings
        self._ahead: _Ahead | None = None

    def train(self, number: int, model: GlobalModel) -> RoundResult:
        """Learn from a model, or take what was learned while it was scored.

        Raises
        ------
        FederationError
            Nobody gave a valid reply.
        """
        ahead, self._ahead = self._ahead, None
        if ahead is not None and (ahead.number, ahead.state) == (number, model.state):
            return ahead.trained
        return self._train(number, model, PiggybackedEvaluation(self._manager, rides=False))

    def evaluate(self, number: int, model: GlobalModel) -> dict[str, ErrorSums]:
        """Have a model scored; where another round follows, learn from it on the way.

        Raises
        ------
        FederationError
            Nobody gave a valid reply.
        """
        if number >= self._settings.rounds.num_server_rounds:
            return self._steps.scores(number, model)
        ride = PiggybackedEvaluation(self._manager, rides=True)
        trained = self._train(number + 1, model, ride)
        self._ahead = _Ahead(number + 1, model.state, trained)
        return ride.scores or self._steps.scores(number, model)

    @abstractmethod
    def _train(self, number: int, model: GlobalModel, ride: PiggybackedEvaluation) -> RoundResult:
        """Learn from a model in round `number`; scores of it may ride along."""

    def _requests(
        self,
        part: str,
        learners: Iterable[str],
        ride: PiggybackedEvaluation,
        *,
        number: int,
        growth: str = "",
    ) -> dict[str, SumRequest]:
        """Make the orders of a step in which `learners` fill a part and judges the scores."""
        learning, judging = frozenset(learners), frozenset(ride.evaluators)
        totals = self._steps.totals(number)
        return {
            name: SumRequest(
                parts=(part, *ride.parts),
                contributes=(part,) * (name in learning) + ride.parts * (name in judging),
                with_scores=name in judging and not ride.parts,
                rows=totals.rows,
                unit_weight=totals.unit_weight,
                num_clients=totals.num_clients,
                histogram_request=growth,
            )
            for name in sorted(learning | judging)
        }
