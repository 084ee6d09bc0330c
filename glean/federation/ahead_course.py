"""Rounds whose model is made of sums: scores of one model ride along with learning from it.

A message is dear, so a model is scored in the messages that already make the next one. What was
learned that way is kept until the next round asks for it; after the last round, and where training
stops early, nothing follows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

from glean.federation.council import Council
from glean.federation.global_model import GlobalModel
from glean.federation.orders import SCORES, Orders
from glean.federation.score_words import SCORE_WORDS
from glean.federation.steps import StepResult, Steps
from glean.federation.trained import Trained
from glean.metrics import ErrorSums


@dataclass(frozen=True)
class _Ahead:
    """What was learned from a model while it was scored."""

    number: int
    state: str
    trained: Trained


class ScoreRide:
    """Scores that ride along with one step.

    Parameters
    ----------
    council : Council
        The bakeries.
    rides : bool
        False: nothing is to be scored.
    """

    def __init__(self, council: Council, *, rides: bool) -> None:
        self._council = council
        self.wanted = rides
        self.scores: dict[str, ErrorSums] = {}

    @property
    def judges(self) -> tuple[str, ...]:
        """Bakeries that are to score in the next step."""
        return self._council.judges() if self.wanted else ()

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts of the vector that the scores take."""
        return (SCORES,) if self.wanted and not self._council.shows_scores else ()

    @property
    def length(self) -> int:
        """Words of the vector that the scores take."""
        return SCORE_WORDS * len(self.parts)

    def take(self, result: StepResult, steps: Steps) -> None:
        """Read the scores of a step in which they rode, if they did."""
        if self.wanted and result.replies:
            self.scores = steps.scores_in(result, hidden=bool(self.parts))
            self.wanted = not self.scores


class AheadCourse(ABC):
    """Trains and scores in the same messages.

    Parameters
    ----------
    council : Council
        The bakeries.
    steps : Steps
        Sums over them.
    """

    def __init__(self, council: Council, steps: Steps) -> None:
        self._council = council
        self._steps = steps
        self._settings = council.settings
        self._ahead: _Ahead | None = None

    def train(self, number: int, model: GlobalModel) -> Trained:
        """Learn from a model, or take what was learned while it was scored.

        Raises
        ------
        FederationError
            Nobody gave a valid reply.
        """
        ahead, self._ahead = self._ahead, None
        if ahead is not None and (ahead.number, ahead.state) == (number, model.state):
            return ahead.trained
        return self._learn(number, model, ScoreRide(self._council, rides=False))

    def evaluate(self, number: int, model: GlobalModel) -> dict[str, ErrorSums]:
        """Have a model scored; where another round follows, learn from it on the way.

        Raises
        ------
        FederationError
            Nobody gave a valid reply.
        """
        if number >= self._settings.rounds.num_server_rounds:
            return self._steps.scores(number, model)
        ride = ScoreRide(self._council, rides=True)
        trained = self._learn(number + 1, model, ride)
        self._ahead = _Ahead(number + 1, model.state, trained)
        return ride.scores or self._steps.scores(number, model)

    @abstractmethod
    def _learn(self, number: int, model: GlobalModel, ride: ScoreRide) -> Trained:
        """Learn from a model in round `number`; scores of it may ride along."""

    def _orders(
        self,
        part: str,
        learners: Iterable[str],
        ride: ScoreRide,
        *,
        number: int,
        growth: str = "",
    ) -> dict[str, Orders]:
        """Make the orders of a step in which `learners` fill a part and judges the scores."""
        learning, judging = frozenset(learners), frozenset(ride.judges)
        totals = self._steps.totals(number)
        return {
            name: Orders(
                parts=(part, *ride.parts),
                fills=(part,) * (name in learning) + ride.parts * (name in judging),
                shows=name in judging and not ride.parts,
                rows=totals.rows,
                unit_weight=totals.unit_weight,
                parties=totals.parties,
                growth=growth,
            )
            for name in sorted(learning | judging)
        }
