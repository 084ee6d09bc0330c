"""Scores with noise: the mean of the bakeries' own, each between 0 and 1 and of the same weight."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from glean.aggregation.count_bounds import check_clipped_scores
from glean.aggregation.oblivious import decoded
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.retries import retries
from glean.federation.coordination.sum_noise import largest_noise, noise_in
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.wire.noised_parts import score_deviation
from glean.federation.wire.sum_request import SumRequest
from glean.privacy.noise_budget import relied_on


@dataclass(frozen=True)
class NoisedScores:
    """What the server learns of how good models are.

    Parameters
    ----------
    means : tuple of float
        Means over the bakeries with noise, brought back to 0 to 1.
    deviation : float
        Standard deviation of the noise in each.
    """

    means: tuple[float, ...]
    deviation: float


def sum_noised_scores(
    sum_rounds: SumRounds,
    part: str,
    number: int,
    model: GlobalModel | None,
    *,
    length: int,
    tested: str = "",
) -> NoisedScores:
    """Have all bakeries that can learn add up clipped scores, each with its part of the noise.

    Raises
    ------
    ImpossibleSumError
        Scores from 0 to 1 can't add up to the sum, whatever the noise.
    FederationError
        Nobody gave a valid reply, or too few for the noise that is accounted.
    """
    manager = sum_rounds.manager
    parties = len(manager.trainers)
    request = SumRequest((part,), (part,), num_clients=parties, tested=tested)
    noise = largest_noise(sum_rounds, part)
    check = partial(check_clipped_scores, contributors=parties, noise=noise)
    for attempt in retries(manager, number):
        attempt.asked = manager.sample_trainers(number, without=attempt.spent)
        asked = dict.fromkeys(attempt.asked, request)
        result = sum_rounds.run(
            number, model, asked, length=length, at_least=relied_on(parties), check=check
        )
        if result.replies:
            means = np.clip(decoded(result.total) / result.stands_for, 0.0, 1.0)
            if sum_rounds.groups is None:
                senders = len(result.replies)
                deviation = score_deviation(manager.settings, parties=parties, senders=senders)
            else:
                deviation = noise_in(sum_rounds, part, result.replies) / result.stands_for
            return NoisedScores(tuple(means.tolist()), deviation)
    raise manager.failed(f"the {part} of round {number}")
