"""Updates in few bits: no sum runs over, none is bent, and more bits are nearer."""

from __future__ import annotations

import numpy as np
import pytest

from glean.aggregation.quantised_updates import (
    check_steps,
    largest_share,
    level_count,
    quantised,
    ranges,
    stepped,
)
from glean.errors import ImpossibleSumError, ModelError
from glean.learning.model_weights import Weights

CLIENTS = 10


def weights(seed: int, spread: float = 0.3) -> Weights:
    rng = np.random.default_rng(seed)
    arrays = {"kernel": rng.normal(0, spread, (8, 5)), "bias": np.zeros(5)}
    return Weights("poisson", "{}", {key: a.astype(np.float32) for key, a in arrays.items()})


def updates(before: Weights, size: float) -> list[Weights]:
    found = []
    for seed in range(CLIENTS):
        moved = weights(100 + seed, size)
        arrays = {key: held + moved.arrays[key] for key, held in before.arrays.items()}
        found.append(Weights(before.kind, before.spec, arrays))
    return found


def errors(bits: int) -> float:
    """How far a sum in so many bits is from the mean, as a share of it."""
    before = weights(1)
    count, most = (
        level_count(bits, clients=CLIENTS, drawn=False),
        largest_share(CLIENTS, drawn=False),
    )
    after = updates(before, 0.05)
    total = np.sum(
        [
            quantised(one, before, share=1 / CLIENTS, most=most, count=count, seed=seed)
            for seed, one in enumerate(after)
        ],
        axis=0,
    )
    check_steps(total, like=before, count=count, clients=CLIENTS, drawn=False)
    found = stepped(total, like=before, count=count).arrays["kernel"]
    wanted = np.mean([one.arrays["kernel"] for one in after], axis=0)
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted - before.arrays["kernel"]))


def test_more_bits_are_nearer_to_the_mean() -> None:
    """Of sixteen nothing is missing that counts."""
    found = [errors(bits) for bits in (8, 10, 12, 16, 24)]
    assert found == sorted(found, reverse=True)
    assert found[3] < 0.01
    assert found[0] > 0.05


def test_rounding_by_draws_bends_nothing() -> None:
    """The mean over many draws is the number itself, far below half a level."""
    before = weights(1)
    after = updates(before, 0.01)[0]
    count = level_count(8, clients=CLIENTS, drawn=False)
    found = np.mean(
        [quantised(after, before, share=0.1, most=1.0, count=count, seed=s) for s in range(4000)],
        axis=0,
    )
    moved = np.concatenate([(after.arrays[k] - before.arrays[k]).ravel() for k in before.arrays])
    np.testing.assert_allclose(found, moved / ranges(before) * 0.1 * count, atol=0.05)


@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize("bits", [6, 8, 16])
def test_no_sum_runs_over_whatever_is_learned(bits: int, drawn: bool) -> None:
    """Updates beyond their range are cut, also such that are no numbers."""
    before = weights(1)
    count, most = (
        level_count(bits, clients=CLIENTS, drawn=drawn),
        largest_share(CLIENTS, drawn=drawn),
    )
    far = Weights(before.kind, before.spec, {k: a + np.inf for k, a in before.arrays.items()})
    share = most if drawn else 1.1 / CLIENTS
    one = quantised(far, before, share=share, most=most, count=count, seed=1)
    assert (np.abs(one * CLIENTS) < 2 ** (bits - 1)).all()


def test_too_few_bits_for_so_many_are_refused() -> None:
    """With how many it takes."""
    with pytest.raises(ModelError, match=r"update-bits: found 6 for sums over 100 .* wanted 9"):
        level_count(6, clients=100, drawn=False)
    assert level_count(9, clients=100, drawn=True) >= 1


def test_a_sum_that_cannot_be_is_refused() -> None:
    """More than all together can have moved."""
    before, count = weights(1), level_count(16, clients=CLIENTS, drawn=False)
    with pytest.raises(ImpossibleSumError, match="levels"):
        check_steps(np.full(45, 2 * count), like=before, count=count, clients=CLIENTS, drawn=False)
