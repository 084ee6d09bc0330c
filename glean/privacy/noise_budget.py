"""How much noise each release of a run wants for an epsilon, and what a bakery adds of it.

A run opens three kinds of sums: the hessians of all its trees, once; gradients, once a round; and a
few scores. The first two are about training records, scores about the records of the validation and
the test window, so no day is in both, and each side may spend the whole budget (parallel
composition). On its side each score is a release, and all of a run's together spend it: one bakery,
whatever its windows hold, moves each by 1 at most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from glean.privacy.gaussian_dp import composed, epsilon_of, mu_of

HESSIAN_SHARE = 0.15
"""Of the squared mu that training has: what the hessians get, the rest is the rounds'. Between
0.05 and 0.3 it hardly moved the WAPE on validation windows."""

RECORDS_OF_A_DAY = 300
"""Days whose records a day's sales enter: its own, the 28 next (lags and means), those of the 26
weeks after (means of same weekdays, of what they sold by the mean of then), and the same weekdays a
year after the first 29, which are told relative to that mean: 240 days. And the special days a year
after those of that half year, against whose usual they are told: 60 leave room for every region
(`tests/privacy/test_gaussian_dp.py` finds up to 9)."""

RELIED_SHARE = (2, 3)
"""Of the roster: so many bakeries give the noise that is accounted, also where a third has gone."""


@dataclass(frozen=True)
class NoiseBudget:
    """The noise of a run, in multiples of a release's sensitivity.

    Parameters
    ----------
    epsilon, delta : float
        What the run may spend of a bakery's day of training records.
    rounds : int
        Releases of gradients.
    scores : int
        Scores that are opened, of the validation and the test window together.

    Examples
    --------
    >>> round(NoiseBudget(4.0, 1e-6, rounds=20).gradients, 2)
    5.79
    """

    epsilon: float
    delta: float
    rounds: int
    scores: int = 1

    @cached_property
    def mu(self) -> float:
        """What all releases about training records may compose to, in Gaussian DP."""
        return mu_of(self.epsilon, self.delta)

    @property
    def hessians(self) -> float:
        """Standard deviation of the noise on the sum of hessians."""
        return 1.0 / (self.mu * math.sqrt(HESSIAN_SHARE))

    @property
    def gradients(self) -> float:
        """Standard deviation of the noise on a round's sum of gradients."""
        return math.sqrt(self.rounds / (1.0 - HESSIAN_SHARE)) / self.mu

    @property
    def score(self) -> float:
        """Standard deviation of the noise on the sum of one score."""
        return math.sqrt(self.scores) / self.mu

    @property
    def spent(self) -> float:
        """Account for the releases about training records from their noise: an epsilon.

        Examples
        --------
        >>> round(NoiseBudget(4.0, 1e-6, rounds=20).spent, 9)
        4.0
        """
        noise = [self.hessians, *[self.gradients] * self.rounds]
        return epsilon_of(composed(1.0 / each for each in noise), self.delta)

    @property
    def spent_when_resumed(self) -> float:
        """Account for a run that was interrupted once, and resumed: at most so large an epsilon.

        What was at work may have been opened, and is opened again: the gradients of a round, and
        where no round was whole yet the hessians too.

        Examples
        --------
        >>> round(NoiseBudget(4.0, 1e-6, rounds=20).spent_when_resumed, 2)
        4.42
        """
        again = composed([self.mu, 1.0 / self.hessians, 1.0 / self.gradients])
        return epsilon_of(again, self.delta)

    @property
    def spent_on_scores(self) -> float:
        """Account for all scores together, from their noise: an epsilon of a bakery's windows.

        Examples
        --------
        >>> round(NoiseBudget(4.0, 1e-6, rounds=20, scores=3).spent_on_scores, 9)
        4.0
        """
        return epsilon_of(composed([1.0 / self.score] * self.scores), self.delta)

    @property
    def spent_of_a_days_sales(self) -> float:
        """Account for a day's sales, which enter the records of `RECORDS_OF_A_DAY`: an epsilon.

        A group of so many has as many times the mu (Dong, Roth and Su).
        """
        return epsilon_of(RECORDS_OF_A_DAY * self.mu, self.delta)


def relied_on(parties: int) -> int:
    """Count the bakeries of a roster whose parts alone give the accounted noise.

    Examples
    --------
    >>> relied_on(3), relied_on(40)
    (2, 27)
    """
    share, whole = RELIED_SHARE
    return -(-share * parties // whole)


def part_of(deviation: float, *, parties: int) -> int:
    """Give the standard deviation of one bakery's part of the noise, a whole number.

    Parameters
    ----------
    deviation : float
        Of the accounted noise, in units of 1.
    parties : int
        Bakeries of the roster.
    """
    return max(1, math.ceil(deviation / math.sqrt(relied_on(parties))))
