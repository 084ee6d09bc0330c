"""What a client adds to a sum of updates: a unit at most, whatever it learned."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from glean.aggregation.clipped_updates import check_updates, clipped_update, mean_update
from glean.errors import ImpossibleSumError, ModelError
from glean.learning.day_sums import UNIT
from glean.learning.model_weights import Weights


def weights_of(values: NDArray[np.float32]) -> Weights:
    half = len(values) // 2
    return Weights("linear", "{}", {"a": values[:half], "b": values[half:].reshape(-1, 1)})


def exact_square(vector: NDArray[np.int64]) -> int:
    return sum(value * value for value in vector.tolist())


values = st.floats(width=32, allow_nan=True, allow_infinity=True)
clip_norms = st.floats(1e-6, 1e6)


@given(after=st.lists(values, min_size=2, max_size=30), clip_norm=clip_norms)
def test_no_update_is_longer_than_a_unit(after: list[float], clip_norm: float) -> None:
    """In whole numbers, as they are added up: nothing is rounded in this test."""
    found = np.array(after, dtype=np.float32)
    added = clipped_update(weights_of(found), weights_of(np.zeros_like(found)), clip_norm=clip_norm)
    assert exact_square(added) <= int(UNIT) ** 2


@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-3, 1e4), clip_norm=clip_norms)
def test_no_long_update_of_many_weights_is_longer_than_a_unit(
    seed: int, scale: float, clip_norm: float
) -> None:
    """A network's thousands of weights round as a whole."""
    rng = np.random.default_rng(seed)
    after, before = (weights_of(rng.normal(0.0, scale, 5_000).astype(np.float32)) for _ in range(2))
    added = clipped_update(after, before, clip_norm=clip_norm)
    assert exact_square(added) <= int(UNIT) ** 2
    length = np.sqrt(float(exact_square(added)))
    # Cut and no shorter, but for a unit a weight.
    whole = scale * np.sqrt(2 * 5_000) / clip_norm
    assert length >= UNIT * min(1.0, 0.9 * whole) - np.sqrt(5_000)


def test_an_update_of_half_the_length_stays_as_it_is() -> None:
    """But for a unit a weight; one of twice the length is halved."""
    before = weights_of(np.array([0.5, -1.0, 2.0], dtype=np.float32))
    after = weights_of(np.array([1.5, -1.0, 2.0], dtype=np.float32))
    assert clipped_update(after, before, clip_norm=2.0) / UNIT == pytest.approx([0.5, 0, 0], 1e-5)
    assert clipped_update(after, before, clip_norm=0.5) / UNIT == pytest.approx([1.0, 0, 0], 1e-5)


def test_the_mean_is_over_clients() -> None:
    """By hand: a mean of clipped updates, added to the weights."""
    rng = np.random.default_rng(1)
    before = weights_of(rng.normal(size=40).astype(np.float32))
    after = [weights_of(rng.normal(size=40).astype(np.float32)) for _ in range(5)]
    total = sum(clipped_update(one, before, clip_norm=3.0) for one in after)
    assert isinstance(total, np.ndarray)
    found = mean_update(total, like=before, clip_norm=3.0, clients=5)

    def flat(weights: Weights) -> NDArray[np.float64]:
        return np.concatenate([v.ravel() for v in weights.arrays.values()]).astype(np.float64)

    steps = np.array([flat(one) - flat(before) for one in after])
    steps *= np.minimum(1.0, 3.0 / np.linalg.norm(steps, axis=1))[:, None]
    assert flat(found) == pytest.approx(flat(before) + steps.mean(axis=0), abs=1e-5)


def test_an_update_without_a_length_adds_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The client's log says so, and no error leaves it."""
    before = weights_of(np.zeros(4, dtype=np.float32))
    after = weights_of(np.array([1.0, np.inf, 0.0, np.nan], dtype=np.float32))
    with caplog.at_level(logging.WARNING, logger="glean"):
        assert not clipped_update(after, before, clip_norm=1.0).any()
    assert "without a finite length" in caplog.text


def test_a_sum_beyond_what_clients_and_noise_come_to_is_refused() -> None:
    """Noise may be eight deviations off; sane weights have to come out."""
    before = weights_of(np.zeros(4, dtype=np.float32))

    def check(value: float, clip_norm: float = 1.0) -> None:
        total = np.array([value, 0, 0, 0]) * UNIT
        check_updates(
            total.astype(np.int64), like=before, clip_norm=clip_norm, clients=3, noise=0.5
        )

    check(6.9)
    with pytest.raises(ImpossibleSumError, match="at most 7 clip norms"):
        check(7.1)
    with pytest.raises(ImpossibleSumError, match="isn't sane"):
        check(6.9, clip_norm=1e5)
    with pytest.raises(ModelError, match="isn't sane"):
        mean_update(np.full(4, 2**40), like=before, clip_norm=1.0, clients=1)
