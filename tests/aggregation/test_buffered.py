"""What a stale update adds, beside the plain formula of FedBuff."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.aggregation import fedavg
from glean.aggregation.buffered import buffer_size, discounted, rebased, staleness_weight
from glean.learning.model_weights import Weights

ROWS = 1000


def weights(*values: float) -> Weights:
    return Weights("poisson", "{}", {"coef": np.array(values, dtype=np.float32)})


def test_a_step_is_the_weighted_mean_of_discounted_updates() -> None:
    """Present weights plus the sum of p_i (1 + s_i)^-a times each update, as FedBuff has it."""
    rng = np.random.default_rng(3)
    current = weights(*rng.normal(size=4))
    sizes, stale = [100.0, 250.0, 50.0], [0, 2, 7]
    step, total = np.zeros(4), np.zeros(5, dtype=np.int64)
    for size, staleness in zip(sizes, stale, strict=True):
        before = weights(*rng.normal(size=4)) if staleness else current
        after = weights(*(before.arrays["coef"] + rng.normal(size=4)))
        discount = staleness_weight(staleness, 0.5)
        update = after.arrays["coef"].astype(float) - before.arrays["coef"]
        step += size / sum(sizes) * (1 + staleness) ** -0.5 * update
        put = rebased(after, before, current, discount=discount)
        total += fedavg.encoded(put, weight=size, rows=ROWS)
    found = fedavg.mean(total, like=current, rows=ROWS).arrays["coef"]
    np.testing.assert_allclose(found, current.arrays["coef"] + step, atol=1e-6)


def test_what_is_not_stale_is_the_same_to_the_byte() -> None:
    """Adding and taking away again would round."""
    current, after = weights(0.1, 1e7), weights(0.3, 1e-7)
    put = rebased(after, current, current, discount=1.0)
    assert put.to_npz() == after.to_npz()


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 2.0])
def test_weights_fall_with_staleness(exponent: float) -> None:
    """From 1; never to nothing."""
    found = [staleness_weight(s, exponent) for s in range(30)]
    assert found[0] == 1.0
    assert found == sorted(found, reverse=True)
    assert found[-1] > 0


def test_what_counts_less_is_whole_numbers() -> None:
    """Half of each, towards zero; all of it to the unit."""
    sums = np.array([[2**60, -3], [5, 0]], dtype=np.int64)
    assert discounted(sums, 1.0) is sums
    assert discounted(sums, 0.5).tolist() == [[2**59, -1], [2, 0]]


@given(
    st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=50),
    st.floats(0.0, 1.0, exclude_min=True),
)
def test_nothing_gets_longer(numbers: list[int], discount: float) -> None:
    """Noise is for updates of a length at most; also where a weight is next to 1."""
    before = np.array(numbers, dtype=np.int64)
    after = discounted(before, discount)
    assert (np.abs(after) <= np.abs(before)).all()


@pytest.mark.parametrize(
    ("asked", "clients", "floor", "wanted"),
    [(0, 20, 0, 4), (0, 4, 0, 3), (0, 2, 0, 2), (7, 20, 0, 7), (7, 20, 9, 9), (7, 5, 0, 5)],
)
def test_how_many_fill_a_buffer(asked: int, clients: int, floor: int, wanted: int) -> None:
    """Never fewer than the floor, never more than there are."""
    assert buffer_size(asked, clients=clients, floor=floor) == wanted
