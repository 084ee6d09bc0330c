"""The parts of a vector that may carry noise, and how much of it each bakery adds.

Bakeries and server derive the same numbers from the run's settings and the size of the roster.
"""

from __future__ import annotations

from collections.abc import Callable

from glean.federation.wire.sum_request import CLIPPED_SCORE, DAY_GRADIENTS, DAY_HESSIANS
from glean.learning.day_sums import GRADIENT_SENSITIVITY, UNIT, hessian_sensitivity
from glean.learning.oblivious_trees import TREES_PER_ROUND
from glean.privacy.noise_budget import NoiseBudget, part_of
from glean.settings import RunSettings

_DEVIATIONS: dict[str, Callable[[NoiseBudget], float]] = {
    DAY_HESSIANS: lambda b: b.hessians * hessian_sensitivity(b.rounds * TREES_PER_ROUND),
    DAY_GRADIENTS: lambda b: b.gradients * GRADIENT_SENSITIVITY,
    CLIPPED_SCORE: lambda b: b.score,  # of one bakery, whole: its sensitivity is 1
}

NOISED_PARTS = frozenset(_DEVIATIONS)


def budget_of(settings: RunSettings) -> NoiseBudget:
    """Give the budget of a run with noise."""
    noise = settings.noise
    return NoiseBudget(noise.epsilon, noise.delta, settings.rounds.num_server_rounds)


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
