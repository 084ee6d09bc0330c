"""The state of a run between two rounds: the present model, the best so far, and when to stop."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Self

from glean.federation.coordination.global_model import GlobalModel
from glean.federation.server.setbacks import MOST_LOST, Primaries


@dataclass(frozen=True)
class Best:
    """The best round so far.

    Parameters
    ----------
    round : int
        The round with the lowest primary metric; the last as long as nothing could be scored, and
        where it couldn't be.
    metric : float
        The lowest primary metric on the validation rows; infinite as long as nothing could be
        scored.
    """

    round: int = 0
    metric: float = math.inf

    @classmethod
    def of(cls, scored: Iterable[tuple[int, float | None]], *, first: float = math.nan) -> Best:
        """Find the best of rounds with their metrics, in the order in which they were run.

        The metric of the first model is NaN where it isn't known.
        """
        best = cls() if math.isnan(first) else cls(0, first)
        for number, metric in scored:
            best = best.or_better(number, metric)
        return best

    def or_better(self, number: int, metric: float | None) -> Best:
        """Compare with a further round.

        Its metric is NaN where the model can't forecast; infinite where its scores can't be, and
        then it never is the best; and None where nobody was to score it: then it is taken, as a
        model that has learned more, and the next one is compared with what was scored before.
        """
        if metric is None:
            return Best(number, self.metric)
        if math.isinf(metric):
            return self
        if metric < self.metric or math.isinf(self.metric):
            return Best(number, metric if math.isfinite(metric) else math.inf)
        return self

    def of_scores(self, number: int, metric: float | None) -> bool:
        """Whether this is a round, with the metric that its scores gave."""
        return self.round == number and self.metric == metric


@dataclass(frozen=True)
class TrainingState:
    """The state of a run between two rounds.

    Parameters
    ----------
    number : int
        The last round that is done; 0 before the first.
    model : GlobalModel
        The model after it.
    best : Best
        The best round so far.
    best_model : GlobalModel
        The model after that one.
    strategy_state : bytes
        The strategy's own state after the last round; empty for one that has none.
    scores : mapping of (str, int) to float
        Primary metric by client and rows, of that model or, where it wasn't scored, of the last
        one before it that was; empty as long as none was.
    lost : int
        Rounds in a row, up to the last one, that were given up or taken back.
    best_scores : mapping of (str, int) to float
        As `scores`, of the best round.
    """

    number: int
    model: GlobalModel
    best: Best
    best_model: GlobalModel
    strategy_state: bytes
    scores: Primaries = field(default_factory=dict)
    lost: int = 0
    best_scores: Primaries = field(default_factory=dict)

    @classmethod
    def before(cls, first: GlobalModel, strategy_state: bytes) -> Self:
        """Begin before the first round, nothing scored."""
        return cls(0, first, Best(), first, strategy_state)

    def scored(self, metric: float | None, scores: Primaries) -> Self:
        """Begin with the scores of the first model, the best so far; without, if they are none."""
        if metric is None or not math.isfinite(metric):
            return self
        return replace(self, best=Best(0, metric), scores=scores, best_scores=scores)

    def after(
        self,
        number: int,
        model: GlobalModel,
        metric: float | None,
        *,
        strategy_state: bytes,
        scores: Primaries,
    ) -> Self:
        """Go on to the model, the strategy's state and the scores of a further round."""
        best = self.best.or_better(number, metric)
        return replace(
            self,
            number=number,
            model=model,
            best=best,
            best_model=model if best.round == number else self.best_model,
            strategy_state=strategy_state,
            scores=scores,
            lost=0,
            best_scores=scores if best.of_scores(number, metric) else self.best_scores,
        )

    def without(self, number: int, *, strategy_state: bytes, scores: Primaries) -> Self:
        """Go on with the model before a round that is taken back, and the scores of that."""
        return replace(
            self,
            number=number,
            strategy_state=strategy_state,
            scores=scores,
            lost=self.lost + 1,
        )

    def given_up(
        self, number: int, metric: float | None, *, strategy_state: bytes, scores: Primaries
    ) -> Self:
        """Go on with the model before a round that is given up, which was scored once more.

        Where it wasn't, the best stays: no model has learned more.
        """
        best = self.best if metric is None else self.best.or_better(number, metric)
        return replace(
            self.without(number, strategy_state=strategy_state, scores=scores),
            best=best,
            best_model=self.model if best.round == number else self.best_model,
            best_scores=scores if best.of_scores(number, metric) else self.best_scores,
        )

    @property
    def hopeless(self) -> bool:
        """Whether so many rounds in a row were lost that further ones would be too."""
        return self.lost >= MOST_LOST

    def stalled(self, patience: int) -> bool:
        """Whether the last `patience` rounds were no better; 0 has patience without end."""
        return 0 < patience <= self.number - self.best.round
