"""The median of groups' means, against a naive one and against liars."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from glean.aggregation.robust_aggregation import median_noise, median_sum, off_groups

WORDS = st.integers(-(2**62), 2**62)


@st.composite
def groups(draw: st.DrawFn, values: st.SearchStrategy[int]) -> tuple[NDArray[np.int64], list[int]]:
    """Sums of groups, and how many members each has."""
    count, width = draw(st.integers(3, 9)), draw(st.integers(1, 4))
    row = st.lists(values, min_size=width, max_size=width)
    sums = draw(st.lists(row, min_size=count, max_size=count))
    sizes = draw(st.lists(st.integers(1, 9), min_size=count, max_size=count))
    return np.array(sums, dtype=np.int64), sizes


@given(groups(st.integers(-(10**9), 10**9)))
def test_it_is_the_median_of_means_times_all(drawn: tuple[NDArray[np.int64], list[int]]) -> None:
    """As a loop over numbers has it."""
    sums, sizes = drawn
    found = median_sum(sums, np.array(sizes, float), size=float(sum(sizes)))
    for place, value in enumerate(found):
        means = [int(one) / size for one, size in zip(sums[:, place], sizes, strict=True)]
        assert value == pytest.approx(statistics.median(means) * sum(sizes), abs=0.51, rel=1e-12)


@given(groups(st.integers(-1000, 1000)), st.data())
def test_fewer_than_half_move_nothing_beyond_the_others(
    drawn: tuple[NDArray[np.int64], list[int]], data: st.DataObject
) -> None:
    """Whatever they send, each number stays between those of honest groups."""
    sums, sizes = drawn
    bad = (len(sums) - 1) // 2
    sums[:bad] = np.array(
        data.draw(st.lists(WORDS, min_size=sums[:bad].size, max_size=sums[:bad].size)), np.int64
    ).reshape(bad, -1)
    found = median_sum(sums, np.array(sizes, float), size=float(sum(sizes)))
    honest = sums[bad:] / np.array(sizes, float)[bad:, None] * sum(sizes)
    assert (found >= honest.min(axis=0) - 0.51).all()
    assert (found <= honest.max(axis=0) + 0.51).all()


def test_half_of_the_groups_can_move_it() -> None:
    """What isn't held: it is as it says."""
    sums = np.array([[1], [1], [10**9], [10**9]])
    assert median_sum(sums, np.ones(4), size=4.0)[0] > 10**6


@pytest.mark.parametrize("count", [6, 8, 21])
def test_the_noise_of_a_median_is_that_of_normal_numbers(count: int) -> None:
    """Never more than is told, and less by a tenth at most for few; 40,000 draws."""
    rng, sizes = np.random.default_rng(3), np.full(count, 5.0)
    drawn = rng.normal(0.0, 1000.0, (count, 40_000)).astype(np.int64)
    really = float(median_sum(drawn, sizes, size=5.0 * count).std())
    told = median_noise(np.full(count, 1000.0), sizes, size=5.0 * count)
    assert really <= told * 1.01
    assert really >= told * 0.9


def test_noise_of_groups_of_several_sizes_is_that_of_their_means() -> None:
    """By hand: means with deviations of 1 and 2, two groups."""
    told = median_noise(np.array([5.0, 12.0]), np.array([5.0, 6.0]), size=11.0)
    assert told == pytest.approx(11 * math.sqrt(math.pi / 2) * math.sqrt((1 + 4) / 2 / 2))


@pytest.mark.parametrize("seed", range(5))
def test_honest_groups_are_not_off_and_a_liar_is(seed: int) -> None:
    """Of normal numbers around a common vector, and sizes that differ by half."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(5, 8, 8).astype(float)
    means = rng.normal(0.0, 100.0, 160) + rng.normal(0.0, 80.0, (8, 160))
    sums = (means * sizes[:, None]).astype(np.int64)
    assert not off_groups(sums, sizes).any()
    sums[2] = rng.normal(0.0, 10_000.0, 160)
    assert np.flatnonzero(off_groups(sums, sizes)).tolist() == [2]
    assert not off_groups(np.ones((8, 40), np.int64), np.ones(8)).any()


@pytest.mark.parametrize("seed", range(5))
def test_of_known_noise_a_liar_s_is_told_from_everybody_s(seed: int) -> None:
    """Three of seven hide in five times as much noise, which spoils what is usual among groups."""
    rng = np.random.default_rng(seed)
    sizes, noise = np.array([5.0, 6.0, 6.0, 5.0, 6.0, 6.0, 6.0]), np.full(7, 1000.0)
    sums = rng.normal(0.0, 1000.0, (7, 640)) + sizes[:, None] * rng.normal(0.0, 50.0, 640)
    assert not off_groups(sums, sizes, noise).any()
    sums[[1, 2, 4]] += rng.normal(0.0, 5000.0, (3, 640))
    assert np.flatnonzero(off_groups(sums, sizes, noise)).tolist() == [1, 2, 4]
    assert not off_groups(sums, sizes).any()


@pytest.mark.parametrize("differ", [0.0, 100_000.0])
def test_liars_near_the_median_make_no_honest_group_off(differ: float) -> None:
    """Whether honest groups differ by noise alone or by much more, as with a large epsilon."""
    rng = np.random.default_rng(1)
    sums = rng.normal(0.0, 1000.0, (7, 640)) + rng.normal(0.0, differ, (7, 640))
    sums[:3] = 0.0
    assert not off_groups(sums, np.ones(7), np.full(7, 1000.0)).any()
