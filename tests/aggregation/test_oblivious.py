"""Leaves from sums: the mean that a plain loop finds, smaller the more noise there is."""

from __future__ import annotations

import numpy as np
import pytest

from glean.aggregation.oblivious import LEAF_SPREAD, decoded, leaf_values
from glean.learning.day_sums import UNIT
from glean.learning.oblivious_trees import DEPTH, LEAVES_PER_ROUND, TREES_PER_ROUND

RNG = np.random.default_rng(1)
HESSIANS = RNG.uniform(0.0, 2000.0, LEAVES_PER_ROUND)
GRADIENTS = HESSIANS * RNG.normal(0.03, 0.05, LEAVES_PER_ROUND)


@pytest.mark.parametrize("noise", [0.0, 20.0])
def test_values_are_those_of_a_plain_loop(noise: float) -> None:
    """Leaf by leaf: what is apart from the mean of all rows, and that mean."""
    found = leaf_values(GRADIENTS, HESSIANS, noise=noise, learning_rate=3.0)
    assert found.shape == (TREES_PER_ROUND, 2**DEPTH)
    mean = sum(GRADIENTS) / sum(HESSIANS)
    doubt = (noise / LEAF_SPREAD) ** 2
    of_mean = sum(HESSIANS) ** 2 / (sum(HESSIANS) ** 2 + len(HESSIANS) * doubt + 1.0)
    for value, gradient, hessian in zip(found.ravel(), GRADIENTS, HESSIANS, strict=True):
        apart = gradient / hessian - mean
        kept = hessian**2 / (hessian**2 + doubt + 1.0)
        wanted = -(3.0 * apart * kept + mean * of_mean) / TREES_PER_ROUND
        assert value == pytest.approx(wanted, rel=1e-5)


def test_a_leaf_of_noise_alone_hardly_moves() -> None:
    """Its weight came out below zero or near it."""
    hessians = HESSIANS.copy()
    hessians[:2] = -50.0, 0.5
    found = leaf_values(GRADIENTS, hessians, noise=20.0, learning_rate=3.0).ravel()
    assert np.isfinite(found).all()
    mean_alone = leaf_values(GRADIENTS, hessians, noise=20.0, learning_rate=0.0).ravel()
    assert found[0] == mean_alone[0]
    assert abs(found[1] - mean_alone[1]) < 1e-3


def test_nothing_summed_is_no_step() -> None:
    """No rows, no move; and the fixed point is taken off exactly."""
    nothing = np.zeros(LEAVES_PER_ROUND)
    assert not leaf_values(nothing, nothing, noise=0.0, learning_rate=3.5).any()
    assert decoded(np.array([3 * int(UNIT)])).tolist() == [3.0]
