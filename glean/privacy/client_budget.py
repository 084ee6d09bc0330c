"""How much noise hides a whole client: all of its data, over all rounds and scores of a run.

A client is in every sum that a run opens, so nothing is apart from anything else: the squares of
the mu of all rounds and of all scores add up to the run's. In each sum a client counts for one
unit at most: the clip norm of its update, or a score from 0 to 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from glean.privacy.gaussian_dp import composed, epsilon_of, mu_of

SCORES_SHARE = 0.1
"""Of the squared mu: what all scores get, the rest is the rounds'. It makes the rounds' noise a
twentieth larger, and that of two or three scores of 100 clients two points of accuracy."""


@dataclass(frozen=True)
class ClientBudget:
    """The noise of a run, in multiples of what a client adds to a sum at most.

    Parameters
    ----------
    epsilon, delta : float
        What the run may spend of a client.
    rounds : int
        Releases of sums of updates.
    scores : int
        Scores that are opened, of the validation and the test window together.

    Examples
    --------
    >>> round(ClientBudget(8.0, 1e-5, rounds=20).updates, 2)
    2.83
    """

    epsilon: float
    delta: float
    rounds: int
    scores: int = 1

    @cached_property
    def mu(self) -> float:
        """What all releases may compose to, in Gaussian DP."""
        return mu_of(self.epsilon, self.delta)

    @property
    def updates(self) -> float:
        """Standard deviation of the noise on a round's sum of updates."""
        return math.sqrt(self.rounds / (1.0 - SCORES_SHARE)) / self.mu

    @property
    def score(self) -> float:
        """Standard deviation of the noise on the sum of one score."""
        return math.sqrt(self.scores / SCORES_SHARE) / self.mu

    @property
    def spent(self) -> float:
        """Account for all releases from their noise: an epsilon.

        Examples
        --------
        >>> round(ClientBudget(8.0, 1e-5, rounds=20, scores=3).spent, 9)
        8.0
        """
        return epsilon_of(self._composed(), self.delta)

    @property
    def spent_when_resumed(self) -> float:
        """Account for a run that was interrupted once, and resumed: at most so large an epsilon.

        A round and a score may have been opened, and are opened again.

        Examples
        --------
        >>> round(ClientBudget(8.0, 1e-5, rounds=20, scores=3).spent_when_resumed, 2)
        8.37
        """
        again = composed([self._composed(), 1.0 / self.updates, 1.0 / self.score])
        return epsilon_of(again, self.delta)

    def _composed(self) -> float:
        noise = [*[self.updates] * self.rounds, *[self.score] * self.scores]
        return composed(1.0 / each for each in noise)
