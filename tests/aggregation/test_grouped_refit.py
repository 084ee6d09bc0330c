"""Leaves from sums in groups, against plain walks down the trees and against liars."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from glean.aggregation.grouped_refit import (
    STEP,
    GroupedLeaves,
    group_values,
    holding_leaves,
    median_refitted,
)
from glean.aggregation.leaf_floor import CountedLeaves, NodeCounts
from glean.aggregation.refit import refitted
from glean.aggregation_kinds import REFIT_RATE
from glean.learning.fixed_point import FixedPoint
from glean.learning.forest import Forest
from glean.learning.structure import leaf_count
from glean.learning.tree import NO_NODE, Tree
from glean.settings import BoostingSettings
from tests.aggregation.made_counts import random_counts, random_tree

ROWS = 1000
BOOSTING = BoostingSettings()
SEEDS = st.integers(0, 10_000)


def forest_of(rng: np.random.Generator) -> Forest:
    return Forest("reg:squarederror", tuple("abcde"), tuple(random_tree(rng) for _ in range(3)))


def merged(rng: np.random.Generator, forest: Forest, *, floor: int) -> Forest:
    """The trees as a group has them: thin leaves merged, by random counts."""
    counts = np.concatenate([random_counts(rng, tree) for tree in forest.trees])
    counts[[sum(map(len, forest.trees[:k])) for k in range(3)]] = 9  # each root has enough
    found = CountedLeaves(forest, NodeCounts(counts, frozenset("abc")))
    return found.among("abc", floor=floor).structures


def sums_of(rng: np.random.Generator, forest: Forest, *, step: float = 0.0) -> NDArray[np.int64]:
    """Sums by leaf whose hessians are above zero."""
    leaves = leaf_count(forest)
    pairs = np.stack([rng.normal(step, 1.0, leaves), rng.uniform(0.5, 5.0, leaves)], axis=1)
    found: NDArray[np.int64] = FixedPoint.for_rows(ROWS).encode(pairs).ravel()
    return found


def leaf_values(forest: Forest) -> NDArray[np.float32]:
    return np.concatenate([tree.value[tree.left == NO_NODE] for tree in forest.trees])


def holding(tree: Tree, smaller: Tree, node: int = 0, place: int = 0) -> list[tuple[int, int]]:
    """Each leaf with the leaf of the smaller tree that the same turns lead to."""
    if tree.left[node] == NO_NODE:
        return [(node, place)]
    found = []
    for turn in ("left", "right"):
        below = int(getattr(smaller, turn)[place])
        found += holding(
            tree, smaller, int(getattr(tree, turn)[node]), place if below == NO_NODE else below
        )
    return found


@settings(max_examples=25)
@given(SEEDS, st.integers(0, 8))
def test_each_leaf_has_the_one_that_holds_it(seed: int, floor: int) -> None:
    """As a walk finds it, turn by turn."""
    rng = np.random.default_rng(seed)
    forest = forest_of(rng)
    smaller = merged(rng, forest, floor=floor)
    expected, start = [], 0
    for tree, less in zip(forest.trees, smaller.trees, strict=True):
        places = [place for _, place in sorted(holding(tree, less))]
        leaves = np.flatnonzero(less.left == NO_NODE)
        expected += [start + int(np.searchsorted(leaves, place)) for place in places]
        start += len(leaves)
    assert holding_leaves(forest, smaller).tolist() == expected


@settings(max_examples=25)
@given(SEEDS, st.integers(3, 9), st.integers(0, 8))
def test_fewer_than_half_move_no_leaf_beyond_the_others(seed: int, count: int, floor: int) -> None:
    """Whatever liars sum up, and into whatever leaves they say that theirs merged."""
    rng = np.random.default_rng(seed)
    forest = forest_of(rng)
    bad = (count - 1) // 2
    values = []
    for place in range(count):
        own = merged(rng, forest, floor=floor)
        sums = sums_of(rng, own)
        if place < bad:
            sums = rng.integers(-(2**62), 2**62, len(sums))
        found = group_values(forest, own, sums, share=1 / count, rows=ROWS, boosting=BOOSTING)
        values.append(found)
    rate = 0.5
    medians = leaf_values(median_refitted(forest, np.array(values), learning_rate=rate))
    honest = np.array(values[bad:]) * STEP * rate / 3
    assert (medians >= honest.min(axis=0) - 1e-5).all()
    assert (medians <= honest.max(axis=0) + 1e-5).all()


def test_half_of_the_groups_can_move_a_leaf() -> None:
    """What isn't held: it is as it says."""
    forest = forest_of(np.random.default_rng(1))
    values = np.zeros((4, leaf_count(forest)))
    values[:2] = 10.0
    assert leaf_values(median_refitted(forest, values, learning_rate=1.0)).min() > 1.0


@settings(max_examples=15)
@given(SEEDS, st.integers(1, 9))
def test_equal_groups_without_thin_leaves_are_one_sum(seed: int, count: int) -> None:
    """The leaves of a plain refit of all their sums, penalties too, times the longer step."""
    rng = np.random.default_rng(seed)
    forest = forest_of(rng)
    sums = sums_of(rng, forest, step=2.0)
    boosting = replace(BOOSTING, reg_lambda=3.0, reg_alpha=0.5)
    one = group_values(forest, forest, sums, share=1 / count, rows=ROWS, boosting=boosting)
    found = median_refitted(forest, np.stack([one] * count), learning_rate=0.4)
    plain = refitted(forest, sums * count, rows=ROWS, learning_rate=0.4, boosting=boosting)
    np.testing.assert_allclose(leaf_values(found), STEP * leaf_values(plain), rtol=1e-5, atol=1e-7)


def grouped(rng: np.random.Generator) -> GroupedLeaves:
    """Two groups of three and four, with random counts; each root is reached by all."""
    forest = forest_of(rng)
    found = {}
    for place, names in enumerate(("abc", "defg")):
        counts = np.concatenate([random_counts(rng, tree) for tree in forest.trees])
        counts = np.minimum(counts, len(names))
        counts[[sum(map(len, forest.trees[:k])) for k in range(3)]] = len(names)
        found[place] = CountedLeaves(forest, NodeCounts(counts, frozenset(names)))
    return GroupedLeaves(forest, found)


@pytest.mark.parametrize("seed", range(4))
def test_a_group_of_too_few_is_left_out(seed: int) -> None:
    """The others merge as they do alone; and nobody is missing in those that are whole."""
    leaves = grouped(np.random.default_rng(seed))
    left = leaves.among("abdefx", floor=3)
    assert {*left.groups} == {1}
    alone = leaves.groups[1].among("def", floor=3)
    assert left.groups[1].structures.to_bytes() == alone.structures.to_bytes()
    assert {*leaves.of_whole_groups("abcdef").groups} == {0}
    assert leaves.bakeries == {*"abcdefg"}


@pytest.mark.parametrize("seed", range(4))
def test_pairs_are_those_of_the_sum_or_have_the_hessians_that_serve_again(seed: int) -> None:
    """A sum may have scores behind them."""
    rng = np.random.default_rng(seed)
    leaves = grouped(rng).among("abcdefg", floor=2)
    assert not leaves.hessians_known
    total = np.append(sums_of(rng, leaves.groups[0].structures), [7, 8])
    pairs = leaves.pairs(0, total)
    np.testing.assert_array_equal(pairs, total[:-2])
    known = leaves.with_hessians({0: pairs})
    assert known.hessians_known
    assert {*known.groups} == {0}
    again = known.pairs(0, np.append(pairs[::2] + 1, [7, 8]))
    np.testing.assert_array_equal(again[::2], pairs[::2] + 1)
    np.testing.assert_array_equal(again[1::2], pairs[1::2])


def test_the_longer_step_is_shorter_than_twice_a_newton_step() -> None:
    """Which leads to the other side of a parabola, as far up as it began."""
    assert STEP * REFIT_RATE.largest < 2.0
