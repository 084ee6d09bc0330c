"""The parts of a vector that may carry noise, and how much of it each bakery adds.

Bakeries and server derive the same numbers from the run's settings and the size of the roster.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from glean.federation.wire.sum_request import (
    CLIPPED_FINAL,
    CLIPPED_SCORE,
    DAY_GRADIENTS,
    DAY_HESSIANS,
)
from glean.learning.day_sums import GRADIENT_SENSITIVITY, UNIT, hessian_sensitivity
from glean.learning.oblivious_trees import TREES_PER_ROUND
from glean.privacy.noise_budget import NoiseBudget, part_of
from glean.settings import RunSettings

FINAL_SCORES = 2
"""Scores of the final test that are accounted for: those of the shared model and of a habit. The
model that a run started from is one more."""

# Of a score one bakery moves the sum by 1 at most.
_DEVIATIONS: dict[str, Callable[[NoiseBudget], float]] = {
    DAY_HESSIANS: lambda b: b.hessians * hessian_sensitivity(b.rounds * TREES_PER_ROUND),
    DAY_GRADIENTS: lambda b: b.gradients * GRADIENT_SENSITIVITY,
    CLIPPED_SCORE: lambda b: b.score,
    CLIPPED_FINAL: lambda b: b.score,
}

NOISED_PARTS = frozenset(_DEVIATIONS)


def budget_of(settings: RunSettings) -> NoiseBudget:
    """Give the budget of a run with noise."""
    noise = settings.noise
    final = FINAL_SCORES + bool(settings.start_from)
    return NoiseBudget(
        noise.epsilon,
        noise.delta,
        settings.rounds.num_server_rounds,
        scores=noise.validation_scores + final,
    )


def scored_rounds(settings: RunSettings) -> frozenset[int]:
    """Name the rounds whose model is scored in a run with noise: evenly spread, the last too.

    Examples
    --------
    >>> from glean.settings import RunSettings
    >>> config = {"privacy": "noise", "num-server-rounds": 20, "validation-scores": 3}
    >>> sorted(scored_rounds(RunSettings.from_config(config)))
    [7, 14, 20]
    """
    rounds, scores = settings.rounds.num_server_rounds, settings.noise.validation_scores
    return frozenset(-(-rounds * k // scores) for k in range(1, scores + 1))


def part_deviation(part: str, settings: RunSettings, *, parties: int) -> int:
    """Give the standard deviation of one bakery's noise on a part, in units of the ring.

    Parameters
    ----------
    part : str
        One of `NOISED_PARTS`.
    settings : RunSettings
        The run's; 0 comes out where they want no noise.
    parties : int
        Bakeries of the roster.
    """
    if not settings.noise.wanted:
        return 0
    deviation = _DEVIATIONS[part](budget_of(settings)) * UNIT
    return part_of(deviation, parties=parties)


def score_deviation(settings: RunSettings, *, parties: int, senders: int) -> float:
    """Give the standard deviation of the noise in a score, the mean over so many bakeries."""
    each = part_deviation(CLIPPED_SCORE, settings, parties=parties)
    return each / UNIT / math.sqrt(senders)
