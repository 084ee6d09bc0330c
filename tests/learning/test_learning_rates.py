from __future__ import annotations

import pytest

from glean.learning.learning_rates import learning_rate_of, pooled_learning_rate_of
from glean.settings import RoundSettings


@pytest.mark.parametrize("aggregation", ["bagging", "cyclic", "fedavg", "histogram"])
def test_a_given_rate_is_taken(aggregation: str) -> None:
    """The rule only speaks where the user says nothing."""
    assert learning_rate_of(RoundSettings(aggregation=aggregation, learning_rate=0.07)) == 0.07


@pytest.mark.parametrize(
    ("kind", "largest"),
    [({"leaf_values": "scaled"}, 0.4), ({"aggregation": "histogram"}, 0.4), ({}, 0.8)],
)
def test_longer_runs_take_finer_steps(kind: dict[str, str], largest: float) -> None:
    """Trees: the step never grows with the number of rounds, and is never above the largest."""
    runs = [RoundSettings(num_server_rounds=n, **kind) for n in (1, 5, 20, 40, 200)]  # type: ignore[arg-type]
    rates = [learning_rate_of(rounds) for rounds in runs]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == rates[2] == largest
    assert rates[3] == pytest.approx(largest / 2)


def test_the_pooled_rival_of_refitted_leaves_has_the_rule_of_trees() -> None:
    """The rule's step suits averages of many trees; a rate that is given is everybody's."""
    assert pooled_learning_rate_of(RoundSettings()) == 0.4
    assert pooled_learning_rate_of(RoundSettings(learning_rate=0.1)) == 0.1


@pytest.mark.parametrize("kind", ["neural", "poisson"])
def test_the_pooled_rival_of_fedavg_keeps_a_rate_for_trees(kind: str) -> None:
    """The step of an optimiser is no step size of boosting."""
    rounds = RoundSettings(aggregation="fedavg", fedavg_model=kind)
    assert pooled_learning_rate_of(rounds) == 0.4
    assert learning_rate_of(rounds) != 0.4
