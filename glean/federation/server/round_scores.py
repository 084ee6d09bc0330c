"""How the model of a round is scored: by its strategy, or with noise in a few rounds only."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np

from glean.aggregation.robust_aggregation import median_sums
from glean.errors import ImpossibleSumError
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.groups import Groups, group_label
from glean.federation.coordination.metric_rounds import Scores
from glean.federation.coordination.noised_scores import NoisedScores, sum_noised_scores
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.server.round_result import RoundResult
from glean.federation.server.setbacks import Primaries, primaries, setback
from glean.federation.server.strategy import Strategy
from glean.federation.wire.noised_parts import scored_rounds
from glean.federation.wire.sum_request import CLIPPED_SCORE
from glean.federation.workload.registry import workload_of
from glean.metric_sums import ALL_CLIENTS, MetricSums

LOG = logging.getLogger("glean")


@dataclass(frozen=True)
class RoundScore:
    """What is known of how good a round's model is.

    Parameters
    ----------
    scores : mapping of str to MetricSums
        By client; empty where it wasn't scored.
    total : MetricSums
        Of all of them.
    metric : float or None
        What rounds are compared by, as `Best.or_better` takes it: the primary metric of all; NaN
        where it isn't finite, and with noise, by which rounds can't be compared; infinite where
        somebody's scores can't be; None where nobody was to score.
    """

    scores: Scores
    total: MetricSums
    metric: float | None

    def linked(self, best: float, scores: Primaries) -> RoundScore:
        """Compare by the median of changes since the best round.

        So few who lie move it by no more than honest ones differ in how much better they get, which
        is less than they differ in how good they are.

        Parameters
        ----------
        best : float
            What the best round is compared by.
        scores : mapping of (str, int) to float
            Its primary metrics; empty where it wasn't scored.
        """
        after = primaries(self.scores)
        known = self.metric is not None and math.isfinite(self.metric)
        if not (known and after and scores):
            return self
        return replace(self, metric=best * (1.0 + setback(scores, after)))

    @property
    def metrics(self) -> dict[str, float]:
        """Every metric of the total; the primary one as rounds are compared by it."""
        found = self.total.metrics()
        if self.metric is not None and math.isfinite(self.metric):
            found[self.total.COLUMNS[0]] = self.metric
        return found


class RoundScores:
    """Has models scored.

    Parameters
    ----------
    sum_rounds : SumRounds
        Sums over the bakeries.
    strategy : Strategy
        The run's, which scores without noise.

    Attributes
    ----------
    noise : float
        Standard deviation of the noise in the last score; 0 without noise, and before.
    """

    def __init__(self, sum_rounds: SumRounds, strategy: Strategy) -> None:
        self._sum_rounds = sum_rounds
        self._settings = sum_rounds.manager.settings
        self._strategy = strategy
        self._metrics = workload_of(self._settings).metrics
        self._noised = self._settings.noise.wanted
        self.noise = 0.0

    def of(self, number: int, result: RoundResult) -> RoundScore:
        """Have the model of a round scored; nothing where somebody's scores can't be.

        Raises
        ------
        FederationError
            There is no valid score.
        """
        try:
            scores = self._scored(number, result)
        except ImpossibleSumError as error:
            LOG.warning("round %d is not scored: %s", number, error)
            return RoundScore({}, self._metrics(), math.nan if self._noised else math.inf)
        return self.read(scores)

    def read(self, scores: Scores) -> RoundScore:
        """Say how good a model is whose scores came."""
        total = self._total(scores)
        return RoundScore(scores, total, self._comparable(scores, total))

    def _total(self, scores: Scores) -> MetricSums:
        """Add scores up; in groups to the median of theirs, as sums are."""
        groups = self._sum_rounds.groups
        by_group = _by_group(groups, scores) if groups else []
        if groups is None or len(by_group) < groups.least:
            return reduce(add, scores.values(), self._metrics())
        sums = [reduce(add, each, self._metrics()).as_tuple for each in by_group]
        sizes = np.array([len(each) for each in by_group], dtype=np.float64)
        found = median_sums(np.array(sums), sizes, size=float(sizes.sum()))
        return self._metrics(*found.tolist())

    def _comparable(self, scores: Scores, total: MetricSums) -> float | None:
        if self._noised:
            return math.nan  # the last round's model is kept
        if not scores and not self._sum_rounds.scorers():
            return None
        return total.primary if math.isfinite(total.primary) else math.nan

    def _scored(self, number: int, result: RoundResult) -> Scores:
        if not self._noised:
            return self._strategy.evaluate(number, result.model, result.state)
        if number not in scored_rounds(self._settings):
            return {}
        found = self.with_noise(CLIPPED_SCORE, number, result.model, length=1)
        return {ALL_CLIENTS: self._metrics.of_bounded(found.means[0])}

    def with_noise(
        self,
        part: str,
        number: int,
        model: GlobalModel | None,
        *,
        length: int,
        tested: str = "",
    ) -> NoisedScores:
        """Have clipped scores summed up, with noise.

        Raises
        ------
        FederationError
            Nobody gave a valid reply, too few did, or somebody's can't be.
        """
        found = sum_noised_scores(
            self._sum_rounds, part, number, model, length=length, tested=tested
        )
        self.noise = found.deviation
        return found


def _by_group(groups: Groups, scores: Scores) -> list[list[MetricSums]]:
    """Give the scores in each group: those of its members, or the one that it has together."""
    members = [[scores[name] for name in names] for _, names in groups.parted(scores)]
    labels = [group_label(place) for place in range(groups.count)]
    return members or [[scores[label]] for label in labels if label in scores]
