"""The step size that a run takes when none is given."""

from __future__ import annotations

from glean.aggregation_kinds import TREE_RATE
from glean.settings import RoundSettings

WEIGHT_STEPS = {"neural": 0.1, "poisson": 1.0}


def learning_rate_of(rounds: RoundSettings) -> float:
    """Return the learning rate of a run: the one given, or by the rule of its aggregation.

    For trees the rule goes by the number of rounds; for weights it is the optimiser's own rate.
    """
    if rounds.learning_rate > 0:
        return rounds.learning_rate
    rule = rounds.kind.rate
    return rule.in_rounds(rounds.num_server_rounds) if rule else WEIGHT_STEPS[rounds.fedavg_model]


def pooled_learning_rate_of(rounds: RoundSettings) -> float:
    """Return the learning rate of the pooled baseline: the run's own where it means the same."""
    if rounds.kind.averages_weights or rounds.learning_rate == 0:
        return TREE_RATE.in_rounds(rounds.num_server_rounds)
    return rounds.learning_rate
