"""Rounds whose model is made of sums: a model is scored in the messages that train the next one.

A message is dear, so both go together. What was learned that way is kept until the next round asks
for it; after the last round, and where training stops early, nothing follows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache

from glean.errors import ImpossibleSumError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.metric_rounds import Scores, scores_in, sum_scores
from glean.federation.coordination.sum_result import SumResult
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.server.round_result import RoundResult
from glean.federation.wire.sum_request import SCORES, SumRequest
from glean.federation.workload.registry import workload_of


@dataclass(frozen=True)
class _Ahead:
    """What was learned while a model was scored, or why nothing could be.

    And from what: round, model, strategy's state.
    """

    learned_from: tuple[int, str, bytes]
    result: RoundResult | ImpossibleSumError


class PiggybackedEvaluation:
    """Scores that are asked for in the messages of one sum.

    Parameters
    ----------
    sum_rounds : SumRounds
        Sums over the bakeries.
    wanted : bool
        False: nothing is to be scored.

    Attributes
    ----------
    scores : mapping of str to MetricSums
        Those that came; empty before.
    without : frozenset of str
        Who has failed in this phase, and isn't asked again.
    """

    def __init__(self, sum_rounds: SumRounds, *, wanted: bool) -> None:
        self._sum_rounds = sum_rounds
        self._manager = sum_rounds.manager
        self.wanted = wanted
        self.scores: Scores = {}
        self.without: frozenset[str] = frozenset()
        self._metrics = workload_of(self._manager.settings).metrics

    @property
    def evaluators(self) -> tuple[str, ...]:
        """Bakeries that are to score in the next sum."""
        return self._sum_rounds.scorers(without=self.without) if self.wanted else ()

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts of the vector that the scores take."""
        return (SCORES,) if self.evaluators and not self._manager.shows_scores else ()

    @property
    def length(self) -> int:
        """Numbers of the vector that the scores take."""
        return self._metrics.length() * len(self.parts)

    def take(self, result: SumResult) -> None:
        """Read the scores of a sum in which they were asked for, if they were.

        Scores that can't be are asked for again, apart from what trains.
        """
        if self.wanted and result.replies:
            with suppress(ImpossibleSumError):
                self.scores = scores_in(
                    self._metrics, result, hidden=not self._manager.shows_scores
                )
            self.wanted = not self.scores


class PipelinedStrategy(ABC):
    """Trains and scores in the same messages.

    Parameters
    ----------
    manager : ClientManager
        The bakeries.
    sum_rounds : SumRounds
        Sums over them.
    """

    def __init__(self, manager: ClientManager, sum_rounds: SumRounds) -> None:
        self._manager = manager
        self._sum_rounds = sum_rounds
        self._settings = manager.settings
        self._ahead: _Ahead | None = None

    @abstractmethod
    def first_model(self) -> GlobalModel:
        """Make the model before the first round."""

    def init(self, model: GlobalModel) -> bytes:  # noqa: ARG002
        """Have no state; a strategy that has one makes its first here."""
        return b""

    def after_loss(self, state: bytes) -> bytes:
        """Go on from where the round began."""
        return state

    def train(self, number: int, model: GlobalModel, state: bytes) -> RoundResult:
        """Learn from a model, or take what was learned while it was scored.

        Raises
        ------
        FederationError
            Nobody gave a valid reply.
        """
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead.learned_from == (number, model.state, state):
            if isinstance(ahead.result, ImpossibleSumError):
                raise ahead.result
            return ahead.result
        # What the first round is compared with, also of a run that resumes where that one is lost;
        # a run with noise opens few scores only.
        evaluation = PiggybackedEvaluation(self._sum_rounds, wanted=not self._settings.noise.wanted)
        result = self._train(number, model, state, evaluation)
        return replace(result, scores_before=evaluation.scores)

    def evaluate(self, number: int, model: GlobalModel, state: bytes) -> Scores:
        """Have a model scored; where another round follows, learn from it on the way.

        Raises
        ------
        FederationError
            Nobody gave a valid reply.
        """
        if number >= self._settings.rounds.num_server_rounds:
            return sum_scores(self._sum_rounds, number, model)
        evaluation = PiggybackedEvaluation(self._sum_rounds, wanted=True)
        try:
            result: RoundResult | ImpossibleSumError = self._train(
                number + 1, model, state, evaluation
            )
        except ImpossibleSumError as error:
            result = error
        self._ahead = _Ahead((number + 1, model.state, state), result)
        return evaluation.scores or sum_scores(self._sum_rounds, number, model)

    @abstractmethod
    def _train(
        self, number: int, model: GlobalModel, state: bytes, evaluation: PiggybackedEvaluation
    ) -> RoundResult:
        """Learn from a model in round `number`; scores of it may be asked for on the way."""

    def _requests(
        self,
        part: str,
        learners: Iterable[str],
        evaluation: PiggybackedEvaluation,
        *,
        number: int,
        histogram_request: str = "",
    ) -> dict[str, SumRequest]:
        """Make the requests of a sum to which learners contribute a part and evaluators scores."""
        learning, scoring = frozenset(learners), frozenset(evaluation.evaluators)
        totals, of_scores = self._sum_rounds.totals(number), evaluation.parts

        @cache
        def request(*, learns: bool, scores: bool) -> SumRequest:
            return SumRequest(
                parts=(part, *of_scores),
                contributes=(part,) * learns + of_scores * scores,
                with_scores=scores and not of_scores,
                rows=totals.rows,
                unit_weight=totals.unit_weight,
                num_clients=totals.num_clients,
                histogram_request=histogram_request,
            )

        return {
            name: request(learns=name in learning, scores=name in scoring)
            for name in sorted(learning | scoring)
        }
