"""Optimisers at the server, beside loops over single weights."""

from __future__ import annotations

import math

import numpy as np
import pytest

from glean.aggregation.server_optimizers import (
    ADAPTIVITY,
    FIRST_DECAY,
    OPTIMIZERS,
    SECOND_DECAY,
    Moments,
    first_moments,
    flat,
    stepped,
)
from glean.errors import ModelError
from glean.learning.model_weights import Weights


def weights(seed: int) -> Weights:
    rng = np.random.default_rng(seed)
    arrays = {"a": rng.normal(size=(2, 3)), "b": rng.normal(size=4)}
    return Weights("some", "{}", {k: v.astype(np.float32) for k, v in arrays.items()})


def by_hand(name: str, changes: list[float], rate: float) -> float:
    """Where one weight that begins at zero gets to by these changes of its mean."""
    value, first, second = 0.0, 0.0, ADAPTIVITY**2
    for change in changes:
        if name == "momentum":
            first = FIRST_DECAY * first + change
            value += rate * first
            continue
        first = FIRST_DECAY * first + (1 - FIRST_DECAY) * change
        if name == "adam":
            second = SECOND_DECAY * second + (1 - SECOND_DECAY) * change**2
        else:
            sign = (second > change**2) - (second < change**2)
            second -= (1 - SECOND_DECAY) * change**2 * sign
        value += rate * first / (math.sqrt(second) + ADAPTIVITY)
    return value


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_weight_goes_as_by_hand(name: str) -> None:
    """Over rounds whose changes shrink and grow, through the bytes of a checkpoint."""
    changes = [0.3, -0.02, 0.0, 1.4, 1e-4]
    held = Weights("some", "{}", {"a": np.zeros((1, 2), np.float32)})
    state = first_moments(held).to_bytes()
    for change in changes:
        mean = Weights("some", "{}", {"a": held.arrays["a"] + np.float32(change)})
        moments = Moments.from_bytes(state, 2)
        held, moments = stepped(name, held, mean, moments, learning_rate=0.1)
        state = moments.to_bytes()
    assert held.arrays["a"][0] == pytest.approx([by_hand(name, changes, 0.1)] * 2, rel=1e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_nothing_moves_where_no_client_moved(name: str) -> None:
    """In the first round; names, kind and shapes stay."""
    before = weights(1)
    after, _ = stepped(name, before, before, first_moments(before), learning_rate=0.0)
    assert (after.kind, after.spec) == (before.kind, before.spec)
    assert {k: v.shape for k, v in after.arrays.items()} == {"a": (2, 3), "b": (4,)}
    np.testing.assert_array_equal(flat(after), flat(before))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_goes_towards_the_mean(name: str) -> None:
    """With each optimiser's own step size."""
    before, mean = weights(1), weights(2)
    after, _ = stepped(name, before, mean, first_moments(before), learning_rate=0.0)
    assert np.dot(flat(after) - flat(before), flat(mean) - flat(before)) > 0


def test_a_step_beyond_sane_weights_is_refused() -> None:
    """And says which setting is too large."""
    before = weights(1)
    far = Weights("some", "{}", {k: v + np.float32(9000.0) for k, v in before.arrays.items()})
    with pytest.raises(ModelError, match="server-learning-rate"):
        stepped("momentum", before, far, first_moments(before), learning_rate=10.0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "found 0 bytes"),
        (np.zeros(22).tobytes(), "found 176 bytes"),
        (np.full(20, np.nan).tobytes(), "damaged"),
        (np.full(20, -1.0).tobytes(), "damaged"),
    ],
)
def test_damaged_moments_are_refused(content: bytes, said: str) -> None:
    """A checkpoint may have been cut short."""
    with pytest.raises(ModelError, match=said):
        Moments.from_bytes(content, 10)
