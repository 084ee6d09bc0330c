"""The parts of a vector that may carry noise: how much each bakery adds, and what it costs.

Bakeries and server derive the same numbers from the run's settings and the size of the roster.
What pays is a day; where a run hides whole clients (`dp-fedavg`), the client as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from glean.federation.wire.sum_request import (
    CLIENT_STEPS,
    CLIPPED_FINAL,
    CLIPPED_SCORE,
    DAY_GRADIENTS,
    DAY_HESSIANS,
)
from glean.learning.day_sums import GRADIENT_SENSITIVITY, UNIT, hessian_sensitivity
from glean.learning.oblivious_trees import TREES_PER_ROUND
from glean.privacy.client_budget import ClientBudget
from glean.privacy.noise_budget import NoiseBudget, part_of
from glean.privacy.privacy_ledger import SCORED, TRAINING, Release
from glean.settings import RunSettings

FINAL_SCORES = 2
"""Scores of the final test that are accounted for: those of the shared model and of a habit. The
model that a run started from is one more."""


@dataclass(frozen=True)
class _NoisedPart:
    """How a part is noised: whose days are in it, by how much of its sensitivity, and that."""

    window: str
    noise: Callable[[NoiseBudget], float]
    sensitivity: Callable[[NoiseBudget], float]


_PARTS: dict[str, _NoisedPart] = {
    DAY_HESSIANS: _NoisedPart(
        TRAINING,
        lambda budget: budget.hessians,
        lambda budget: hessian_sensitivity(budget.rounds * TREES_PER_ROUND),
    ),
    DAY_GRADIENTS: _NoisedPart(
        TRAINING, lambda budget: budget.gradients, lambda _: GRADIENT_SENSITIVITY
    ),
    # Of a score one bakery moves the sum by 1 at most.
    CLIPPED_SCORE: _NoisedPart(SCORED, lambda budget: budget.score, lambda _: 1.0),
    CLIPPED_FINAL: _NoisedPart(SCORED, lambda budget: budget.score, lambda _: 1.0),
}

NOISED_PARTS = frozenset({*_PARTS, CLIENT_STEPS})


def noised_parts_of(settings: RunSettings) -> frozenset[str]:
    """Name the parts that a run with noise opens: by days, or by whole clients."""
    if settings.noise.by_client:
        return frozenset({CLIENT_STEPS, CLIPPED_SCORE, CLIPPED_FINAL})
    return NOISED_PARTS - {CLIENT_STEPS}


@lru_cache(maxsize=8)  # each of a run's many messages comes with the same settings
def budget_of(settings: RunSettings) -> NoiseBudget:
    """Give the budget of a run with noise that hides days."""
    noise, rounds = settings.noise, settings.rounds.num_server_rounds
    return NoiseBudget(noise.epsilon, noise.delta, rounds, scores=_scores_of(settings))


@lru_cache(maxsize=8)
def client_budget_of(settings: RunSettings) -> ClientBudget:
    """Give the budget of a run with noise that hides whole clients."""
    noise, rounds = settings.noise, settings.rounds.num_server_rounds
    return ClientBudget(noise.epsilon, noise.delta, rounds, scores=_scores_of(settings))


def _scores_of(settings: RunSettings) -> int:
    return settings.noise.validation_scores + _final_scores(settings)


def _final_scores(settings: RunSettings) -> int:
    return FINAL_SCORES + bool(settings.start_from)


def _noise_on(part: str, settings: RunSettings) -> float:
    """Give the standard deviation of the noise on a sum, by what a day or client adds at most."""
    if settings.noise.by_client:
        budget = client_budget_of(settings)
        return budget.updates if part == CLIENT_STEPS else budget.score
    return _PARTS[part].noise(budget_of(settings))


def _sensitivity_of(part: str, settings: RunSettings) -> float:
    """Say what a day or client adds to a sum at most; updates are in clip norms."""
    if settings.noise.by_client:
        return 1.0
    return _PARTS[part].sensitivity(budget_of(settings))


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
    deviation = _noise_on(part, settings) * _sensitivity_of(part, settings) * UNIT
    return part_of(deviation, parties=parties)


def score_deviation(settings: RunSettings, *, parties: int, senders: int) -> float:
    """Give the standard deviation of the noise in a score, the mean over so many bakeries."""
    each = part_deviation(CLIPPED_SCORE, settings, parties=parties)
    return each / UNIT / math.sqrt(senders)


def release_of(part: str, settings: RunSettings, *, number: int, length: int = 1) -> Release:
    """Say what a part costs a day, or the client, and what the run will still ask of it.

    Parameters
    ----------
    part : str
        One of `NOISED_PARTS`.
    settings : RunSettings
        The run's.
    number : int
        The round that asks for it.
    length : int
        Numbers of the part; of scores each is a release.
    """
    if settings.noise.by_client:
        return _client_release(part, settings, number=number, length=length)
    noised, budget = _PARTS[part], budget_of(settings)
    rounds_ahead = {DAY_HESSIANS: budget.rounds, DAY_GRADIENTS: budget.rounds - number}
    ahead = max(0, rounds_ahead.get(part, 0)) / budget.gradients**2
    count = length if noised.window == SCORED else 1
    return Release(noised.window, cost=count / noised.noise(budget) ** 2, ahead=ahead)


def _client_release(part: str, settings: RunSettings, *, number: int, length: int) -> Release:
    """Say what a part costs a client, of which every part is about all there is."""
    budget, updates = client_budget_of(settings), part == CLIENT_STEPS
    # A round's model is scored after its sum of updates.
    scored = [each for each in scored_rounds(settings) if each >= number + (not updates)]
    scores = len(scored) + _final_scores(settings)
    ahead = (budget.rounds - number) / budget.updates**2 + scores / budget.score**2
    count = 1 if updates else length
    return Release(
        TRAINING,
        cost=count / _noise_on(part, settings) ** 2,
        ahead=0.0 if part == CLIPPED_FINAL else max(0.0, ahead),
    )


def one_round(settings: RunSettings) -> float:
    """Give what a round's training costs a day, or the client, squared mu."""
    part = CLIENT_STEPS if settings.noise.by_client else DAY_GRADIENTS
    return release_of(part, settings, number=settings.rounds.num_server_rounds).cost


def whole_run(settings: RunSettings) -> float:
    """Give what a run costs a day of training records, or the client, as a squared mu.

    If nothing is repeated, that is.
    """
    if settings.noise.by_client:
        return client_budget_of(settings).mu ** 2
    release = release_of(DAY_HESSIANS, settings, number=1)
    return release.cost + release.ahead
