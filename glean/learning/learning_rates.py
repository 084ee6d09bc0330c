"""The step size that a run takes when none is given."""

from __future__ import annotations

from glean.settings import RoundSettings

TREE_STEPS = 8.0
"""Sum of the step sizes over all rounds; chosen on validation windows."""

LARGEST_TREE_STEP = 0.4

REFIT_STEPS = 16.0
LARGEST_REFIT_STEP = 0.8
"""For refitted leaves, whose average over many structures is a smoother step; chosen likewise."""

WEIGHT_STEPS = {"neural": 0.1, "poisson": 1.0}


def learning_rate_of(rounds: RoundSettings) -> float:
    """Return the learning rate of a run: the one given, or by rule.

    Trees: 8 / rounds, at most 0.4, so that a longer run takes finer steps and goes equally far.
    Scaled leaves make a round one step whatever the number of bakeries, and `cyclic` adds one
    bakery's trees as they are: the same rule serves both, and `histogram`. Refitted leaves take
    twice as much. `fedavg`: the optimiser's own rate.
    """
    if rounds.learning_rate > 0:
        return rounds.learning_rate
    if rounds.aggregation == "fedavg":
        return WEIGHT_STEPS[rounds.fedavg_model]
    if rounds.refits:
        return min(LARGEST_REFIT_STEP, REFIT_STEPS / rounds.num_server_rounds)
    return _tree_step(rounds)


def pooled_learning_rate_of(rounds: RoundSettings) -> float:
    """Return the learning rate of the pooled rival: the run's own where it means the same."""
    by_rule = rounds.aggregation == "fedavg" or (rounds.refits and rounds.learning_rate == 0)
    return _tree_step(rounds) if by_rule else learning_rate_of(rounds)


def _tree_step(rounds: RoundSettings) -> float:
    return min(LARGEST_TREE_STEP, TREE_STEPS / rounds.num_server_rounds)
