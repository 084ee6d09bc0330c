from __future__ import annotations

import pytest

from glean.learning.rates import learning_rate_of, pooled_learning_rate_of
from glean.settings import RoundSettings


@pytest.mark.parametrize("aggregation", ["bagging", "cyclic", "fedavg"])
def test_a_given_rate_is_taken(aggregation: str) -> None:
    """The rule only speaks where the user says nothing."""
    assert learning_rate_of(RoundSettings(aggregation=aggregation, learning_rate=0.07)) == 0.07


def test_longer_runs_take_finer_steps() -> None:
    """Trees: the step never grows with the number of rounds, and is never above the largest."""
    rates = [learning_rate_of(RoundSettings(num_server_rounds=n)) for n in (1, 5, 20, 40, 200)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == rates[2] == 0.4
    assert rates[3] == pytest.approx(0.2)


@pytest.mark.parametrize("kind", ["neural", "poisson"])
def test_the_pooled_rival_of_fedavg_keeps_a_rate_for_trees(kind: str) -> None:
    """The step of an optimiser is no step size of boosting."""
    rounds = RoundSettings(aggregation="fedavg", fedavg_model=kind)
    assert pooled_learning_rate_of(rounds) == 0.4
    assert learning_rate_of(rounds) != 0.4
