"""What honest rows add up to is never refused, and what no rows can have always is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from glean.aggregation import fedavg, sum_bounds
from glean.aggregation.count_bounds import check_clipped_scores, check_totals
from glean.aggregation.sum_bounds import SumBounds
from glean.errors import ImpossibleSumError
from glean.learning.day_sums import LARGEST_RESIDUAL, UNIT
from glean.learning.fixed_point import FixedPoint
from glean.learning.forest import Forest
from glean.learning.kernels import kernels, kernels_at_hand
from glean.learning.loss import OBJECTIVES, Loss
from glean.learning.model_weights import LARGEST_WEIGHT, Weights
from glean.learning.oblivious_trees import LEAVES_PER_ROUND
from glean.learning.tree import Tree
from tests.matrices import random_forest

Encoded = NDArray[np.int64]

ROWS = 50


def leaf_sums(loss: Loss, seed: int, *, size: float) -> Encoded:
    """Sums by four leaves of random rows with margins and targets of a size."""
    rng = np.random.default_rng(seed)
    y = rng.exponential(size, ROWS).astype(np.float32)
    margin = rng.normal(0.0, size, ROWS).astype(np.float32)
    weight = rng.exponential(1.0, ROWS)
    weight *= ROWS / weight.sum()
    scale = FixedPoint.for_rows(ROWS)
    both = np.stack(loss.gradients(y, margin), axis=1) * weight[:, None]
    sums = np.zeros((4, 2), dtype=np.int64)
    np.add.at(sums, rng.integers(0, 4, ROWS), scale.encode(both))
    return sums


@pytest.mark.parametrize("objective", OBJECTIVES)
@given(seed=st.integers(0, 2**32), size=st.sampled_from([0.01, 1.0, 30.0, 1e4]))
def test_sums_of_rows_are_within_their_bounds(objective: str, seed: int, size: float) -> None:
    """Whatever the rows, of each loss; clipped ones too."""
    loss = Loss(objective, 0.8)
    SumBounds(loss, ROWS).check_pairs(leaf_sums(loss, seed, size=size))


@pytest.mark.parametrize("objective", OBJECTIVES)
@given(seed=st.integers(0, 2**32), at=st.sampled_from([0, 1]), by=st.floats(-3.0, 3.0))
def test_a_compiled_loop_refuses_what_arrays_refuse(
    objective: str, seed: int, at: int, by: float
) -> None:
    """Sums around their bounds, as a process that learns looks at them, and one that only adds."""
    loss = Loss(objective, 0.8)
    bounds, sums = SumBounds(loss, ROWS), leaf_sums(loss, seed, size=1.0)
    sums[2, at] = int(by * loss.largest_hessian * 64 * ROWS * FixedPoint.for_rows(ROWS).unit)
    kernels()
    refused = []
    for loops in (kernels_at_hand, lambda: None):
        with mock.patch.object(sum_bounds, "kernels_at_hand", loops):
            try:
                bounds.check_pairs(sums)
            except ImpossibleSumError as error:
                refused.append(str(error))
            else:
                refused.append("")
    assert refused[0] == refused[1]


Spoil = Callable[[Encoded], None]


def of_hessian(change: int) -> Spoil:
    return lambda sums: sums.__setitem__((1, 1), change)


FAR_TOO_HEAVY = int(FixedPoint.for_rows(ROWS).encode(np.array(9999.0)))

SPOILT: dict[str, Spoil] = {
    "a negative hessian": of_hessian(-1),
    "more weight than there is": of_hessian(
        int(FixedPoint.for_rows(ROWS).encode(np.array(9999.0)))
    ),
    "a gradient without weight": lambda sums: sums.__setitem__((1,), (1 << 40, 0)),
}


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_what_no_rows_can_have_is_refused(objective: str, spoil: Spoil) -> None:
    """One cell that can't be is enough."""
    loss = Loss(objective, 0.8)
    sums = leaf_sums(loss, 1, size=1.0)
    spoil(sums)
    with pytest.raises(ImpossibleSumError, match=r"found .* in a sum; wanted a (hessian|gradient)"):
        SumBounds(loss, ROWS).check_pairs(sums)


def test_who_came_later_may_weigh_as_much_again() -> None:
    """Rows are declared once: of a newcomer the server knows nothing."""
    loss = Loss("reg:squarederror")
    sums = 3 * leaf_sums(loss, 1, size=1.0)
    SumBounds(loss, ROWS, times=3).check_pairs(sums)
    with pytest.raises(ImpossibleSumError):
        SumBounds(loss, ROWS, times=1).check_pairs(sums.sum(axis=0))


def test_random_words_are_refused() -> None:
    """Of a thousand sums that one of the senders filled with random words none passes."""
    loss, rng = Loss("reg:squarederror"), np.random.default_rng(3)
    honest = leaf_sums(loss, 1, size=1.0)
    for _ in range(1000):
        words = rng.integers(-(2**63), 2**63 - 1, honest.shape, dtype=np.int64)
        with pytest.raises(ImpossibleSumError):
            SumBounds(loss, ROWS).check_pairs(honest + words)


@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_random_trees_weigh_the_same(noise: float) -> None:
    """All rows are in one leaf of each tree; with noise nearly so."""
    rng = np.random.default_rng(5)
    bounds = SumBounds(Loss("reg:squarederror"), ROWS)
    exact = np.full((10, 16), 2**20, dtype=np.int64)
    noised = exact + np.rint(rng.normal(0.0, noise * UNIT, exact.shape)).astype(np.int64)
    bounds.check_day_hessians(noised.ravel(), noise=noise)
    noised[3, 5:] += round((1 + 24 * noise) * UNIT)
    with pytest.raises(ImpossibleSumError, match=r"trees of one weight|a weight from 0 to"):
        bounds.check_day_hessians(noised.ravel(), noise=noise)


def test_clipped_gradients_are_within_a_quarter_of_the_weight() -> None:
    """Beyond that, and beyond the noise, they are refused."""
    bounds = SumBounds(Loss("reg:squarederror"), ROWS)
    weight = np.full(LEAVES_PER_ROUND, 2.0)
    most = np.rint(weight * LARGEST_RESIDUAL * UNIT).astype(np.int64)
    bounds.check_day_gradients(-most, weight, noise=0.0, hessian_noise=0.0)
    more = most + np.int64(1000)
    bounds.check_day_gradients(more, weight, noise=1.0, hessian_noise=0.0)
    with pytest.raises(ImpossibleSumError, match="the leaf's weight allows"):
        bounds.check_day_gradients(more, weight, noise=0.0, hessian_noise=0.0)


@pytest.mark.parametrize(
    ("rows", "weight"), [(-1, 1.0), (2**33, 1.0), (10, -1.0), (10, 1e30), (10, float("nan"))]
)
def test_totals_are_checked(rows: int, weight: float) -> None:
    """Rows are counted, and weigh something that bakeries can sell."""
    check_totals(np.array([10, 0]), weight=3.0, contributors=3)
    with pytest.raises(ImpossibleSumError):
        check_totals(np.array([rows, 0]), weight=weight, contributors=3)


def test_clipped_scores_are_between_0_and_1_each() -> None:
    """Up to the noise that they carry."""
    found = np.array([int(3.5 * UNIT)])
    check_clipped_scores(found, contributors=4, noise=0.0)
    check_clipped_scores(found, contributors=3, noise=0.1)
    with pytest.raises(ImpossibleSumError):
        check_clipped_scores(found, contributors=3, noise=0.01)


@pytest.mark.parametrize(
    ("moved", "weight", "words"),
    [
        (0.5, 20.0, ""),
        (0.5, 1.05 * ROWS, ""),
        (30.0, 20.0, "moved by 30"),
        (0.5, 1.1 * ROWS, "training weight"),
    ],
)
def test_weights_move_so_far_only(moved: float, weight: float, words: str) -> None:
    """A mean far from the model, and more weight than there is, are refused."""
    like = Weights("poisson", "{}", {"coef": np.zeros(3, np.float32)})
    sent = Weights("poisson", "{}", {"coef": np.full(3, moved, np.float32)})
    total = fedavg.encoded(sent, weight=weight, rows=ROWS)
    bounds = SumBounds(Loss("reg:squarederror"), ROWS)
    if not words:
        bounds.check_weights(total, like=like)
    else:
        with pytest.raises(ImpossibleSumError, match=words):
            bounds.check_weights(total, like=like)


def two_trees(gradients: Encoded) -> tuple[Forest, Encoded]:
    """Two trees over the same rows: the same four leaves, and one leaf for all."""
    left, right = [1, 3, 5, -1, -1, -1, -1], [2, 4, 6, -1, -1, -1, -1]
    none = np.zeros(7, np.int32)
    deep = Tree(
        left=np.array(left, np.int32),
        right=np.array(right, np.int32),
        split_feature=none,
        value=none.astype(np.float32),
        default_left=none.astype(np.uint8),
    )
    stump = Tree(deep.left[-1:], deep.right[-1:], none[:1], deep.value[:1], deep.default_left[:1])
    forest = replace(random_forest(1), trees=(deep, stump))
    return forest, np.append(gradients, gradients.sum())


@pytest.mark.parametrize("objective", OBJECTIVES)
@given(seed=st.integers(0, 2**32), size=st.sampled_from([0.01, 1.0, 30.0, 1e4]))
def test_gradients_alone_are_of_any_model(objective: str, seed: int, size: float) -> None:
    """Hessians of another model say nothing of them: the rows' weight bounds them alone."""
    loss = Loss(objective, 0.8)
    structures, gradients = two_trees(leaf_sums(loss, seed, size=size)[:, 0])
    SumBounds(loss, ROWS).check_leaf_gradients(structures, gradients)


def test_hessians_of_another_model_would_refuse_honest_gradients() -> None:
    """Of count:poisson, where the model was near nothing and is far above what is sold now."""
    loss = Loss("count:poisson")
    before, after = (
        loss.gradients(np.ones(1, np.float32), np.full(1, margin, np.float32))
        for margin in (-3.0, 1.0)
    )
    pair = FixedPoint.for_rows(ROWS).encode(np.array([[*after[0], *before[1]]]))
    with pytest.raises(ImpossibleSumError):
        SumBounds(loss, ROWS).check_pairs(pair)
    structures, gradients = two_trees(np.array([pair[0, 0], 0, 0, 0]))
    SumBounds(loss, ROWS).check_leaf_gradients(structures, gradients)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_gradients_that_no_rows_can_have_are_refused(objective: str) -> None:
    """Beyond what all rows allow, in one leaf or in a tree; and of trees that disagree."""
    loss = Loss(objective, 0.8)
    structures, gradients = two_trees(leaf_sums(loss, 1, size=1.0)[:, 0])
    bounds = SumBounds(loss, ROWS)
    gradients[0] += 1
    with pytest.raises(ImpossibleSumError, match="the same rows in all trees"):
        bounds.check_leaf_gradients(structures, gradients)
    gradients[0] += int(FixedPoint.for_rows(ROWS).encode(np.array(150.0 * ROWS)))
    gradients[-1] = gradients[:-1].sum()
    with pytest.raises(ImpossibleSumError, match="a gradient that all rows allow"):
        bounds.check_leaf_gradients(structures, gradients)


@pytest.mark.parametrize(("moved", "words"), [(9.0, ""), (11.0, "moved by 11"), (6e3, "sane")])
def test_steps_are_as_long_as_a_mean_moves(moved: float, words: str) -> None:
    """Of those who are left, divided by the weight of all."""
    like = Weights("poisson", "{}", {"coef": np.full(3, LARGEST_WEIGHT / 2, np.float32)})
    place = fedavg.encoded(like, weight=1.0, rows=ROWS)[-1]
    total = np.full(3, moved * ROWS * place, dtype=np.int64)
    bounds = SumBounds(Loss("reg:squarederror"), ROWS)
    if not words:
        bounds.check_weight_steps(total, like=like)
    else:
        with pytest.raises(ImpossibleSumError, match=words):
            bounds.check_weight_steps(total, like=like)
