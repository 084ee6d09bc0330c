"""Is a federation large enough for a model with noise? What a run says of it before it begins."""

from __future__ import annotations

import math

from glean.federation.wire.noised_parts import budget_of
from glean.settings import RunSettings

LEAST_DAYS = 300.0
"""Training days of all bakeries together, times mu, below which a run warns. By `python -m
benchmarks.small_federations` the shared model of synthetic bakeries was no better than the
weekday-mean below it with ten trees a round; with twenty it is worse only at 70 (three bakeries,
`--epsilon 0.25`), and of three restaurants at 490. So it is a warning, and no bound."""

SHORT_DAYS = 60
"""Tables that have to be longer than this are worth a word; a newcomer's has at most so many."""


def days_wanted(settings: RunSettings, *, bakeries: int) -> int:
    """Count the training days that each of so many bakeries should have, with noise.

    Examples
    --------
    >>> noised = RunSettings.from_config({"privacy": "noise"})
    >>> days_wanted(noised, bakeries=3), days_wanted(noised, bakeries=40)
    (120, 9)
    """
    return math.ceil(LEAST_DAYS / (bakeries * budget_of(settings).mu))


def caution(settings: RunSettings, *, bakeries: int) -> str:
    """Say when noise takes more than the federation brings, and what would help; "" if it doesn't.

    Parameters
    ----------
    settings : RunSettings
        The run's.
    bakeries : int
        Those that train.
    """
    if not settings.noise.wanted or not bakeries:
        return ""
    days = days_wanted(settings, bakeries=bakeries)
    if days <= SHORT_DAYS:
        return ""
    return (
        f"{bakeries} bakeries are few for noise at epsilon {settings.noise.epsilon:g}: unless they "
        f"have {days} days of training each, in the mean, the shared model may be worse than the "
        "mean of the last four same weekdays. What helps: more bakeries, longer tables, or "
        "privacy=sums among bakeries that trust each other and the operator. A bakery whose own "
        "validation days say that the model is worse doesn't bake by it"
    )
