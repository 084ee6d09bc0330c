"""What a run with noise has spent of a client so far, by what its server knows."""

from __future__ import annotations

import logging

from glean.errors import SettingsError
from glean.federation.wire.noised_parts import client_budget_of, scored_rounds
from glean.images.privacy.noise_plan import NoisePlan
from glean.privacy.gaussian_dp import composed, epsilon_of
from glean.settings import RunSettings

LOG = logging.getLogger("glean")


def spent_of_client(settings: RunSettings, pictures: float, rounds: int) -> float | None:
    """Account for the rounds so far; None without noise, and where it can't be known.

    Where the unit is a picture, a client's epsilon follows from its own number of them, which the
    server doesn't know: told is that of a client with the mean number. At the end of a run all have
    spent what the settings say; before, those with more pictures as a rule more. Where the unit is
    a client all have spent the same.

    Parameters
    ----------
    settings : RunSettings
        The run's.
    pictures : float
        Mean number of training pictures, from the sum that all weights are relative to; 0: not
        known.
    rounds : int
        That the client took part in.
    """
    if settings.noise.by_client:
        return _spent_of_whole_client(settings, rounds)
    if not (settings.noise.in_steps and pictures and rounds):
        return None
    try:
        plan = NoisePlan.of(settings, max(1, round(pictures)))
        return min(plan.epsilon, plan.spent_after(rounds))
    except SettingsError as error:
        LOG.warning("what is spent isn't known: %s", error)  # each client accounts for itself
        return None


def _spent_of_whole_client(settings: RunSettings, rounds: int) -> float:
    """Compose the sums of updates and the scores that were opened up to a round."""
    budget = client_budget_of(settings)
    scores = sum(number <= rounds for number in scored_rounds(settings))
    noise = [*[budget.updates] * rounds, *[budget.score] * scores]
    return epsilon_of(composed(1.0 / each for each in noise), budget.delta) if noise else 0.0
