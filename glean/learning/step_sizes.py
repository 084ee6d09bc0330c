"""The step size of a round of averaged weights that clients train by steps."""

from __future__ import annotations

import math

from glean.settings import RunSettings


def step_size_in(number: int, learning_rate: float, settings: RunSettings) -> float:
    """Give the step size of a round, by the schedule over all rounds.

    "cosine" falls from the learning rate to nearly zero along half a cosine (Loshchilov and
    Hutter 2017, without restarts), constant within a round.

    Examples
    --------
    >>> step_size_in(1, 0.1, RunSettings())
    0.1
    """
    if settings.local_training.rate_schedule == "constant":
        return learning_rate
    past = (number - 1) / settings.rounds.num_server_rounds
    return learning_rate * 0.5 * (1.0 + math.cos(math.pi * past))
