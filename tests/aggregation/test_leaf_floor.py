"""Leaves that too few bakeries reach are merged, against a plain recursion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from glean.aggregation.leaf_floor import CountedLeaves, NodeCounts
from glean.errors import ModelError
from glean.learning.forest import Forest
from glean.learning.structure import node_count
from glean.learning.tree import NO_NODE, Nodes, Tree
from tests.aggregation.made_counts import BAKERIES, random_counts, random_tree


def outline(tree: Tree, node: int = 0) -> object:
    """A tree as nested tuples of its splits."""
    if tree.left[node] == NO_NODE:
        return float(tree.value[node])
    split = (int(tree.split_feature[node]), float(tree.value[node]), int(tree.default_left[node]))
    return split, outline(tree, tree.left[node]), outline(tree, tree.right[node])


def merged_outline(tree: Tree, counts: NDArray[np.int64], floor: int, node: int = 0) -> object:
    """The same after merging, by the words of the rule."""
    left, right = tree.left[node], tree.right[node]
    if left == NO_NODE or counts[left] < floor or counts[right] < floor:
        return 0.0
    split = (int(tree.split_feature[node]), float(tree.value[node]), int(tree.default_left[node]))
    return (
        split,
        merged_outline(tree, counts, floor, left),
        merged_outline(tree, counts, floor, right),
    )


def merged_leaves(forest: Forest, counts: NDArray[np.int64], *, floor: int) -> Forest:
    """Merged among all who were counted."""
    found = CountedLeaves(forest, NodeCounts(counts, frozenset("abc")))
    return found.among("abc", floor=floor).structures


def forest_of(*trees: Tree) -> Forest:
    return Forest("reg:squarederror", tuple("abcde"), trees)


@given(st.integers(0, 10_000), st.integers(0, BAKERIES))
def test_each_leaf_has_bakeries_enough(seed: int, floor: int) -> None:
    """Every tree is the one that a plain recursion gives, and still a tree."""
    rng = np.random.default_rng(seed)
    trees = [random_tree(rng) for _ in range(3)]
    counts = [random_counts(rng, tree) for tree in trees]
    forest = forest_of(*trees)
    assert node_count(forest) == sum(map(len, counts))
    if min(count[0] for count in counts) < floor:
        with pytest.raises(ModelError, match=f"wanted {floor}"):
            merged_leaves(forest, np.concatenate(counts), floor=floor)
        return
    merged = merged_leaves(forest, np.concatenate(counts), floor=floor)
    Nodes.of(merged.trees).checked(columns=5)
    for tree, before, count in zip(merged.trees, trees, counts, strict=True):
        assert outline(tree) == merged_outline(before, count, floor)


def test_a_node_without_enough_takes_its_sibling_with_it() -> None:
    """One thin side is enough: its sum would be the difference."""
    tree = Tree(
        left=np.array([1, NO_NODE, NO_NODE], dtype=np.int32),
        right=np.array([2, NO_NODE, NO_NODE], dtype=np.int32),
        split_feature=np.zeros(3, dtype=np.int32),
        value=np.array([0.5, 0, 0], dtype=np.float32),
        default_left=np.zeros(3, dtype=np.uint8),
    )
    counts = np.array([7, 6, 2])
    assert len(merged_leaves(forest_of(tree), counts, floor=3).trees[0]) == 1
    assert len(merged_leaves(forest_of(tree), counts, floor=2).trees[0]) == 3


def test_counts_of_other_trees_are_refused() -> None:
    """Their number tells."""
    forest = forest_of(random_tree(np.random.default_rng(1)))
    with pytest.raises(ModelError, match="wanted one for each of"):
        merged_leaves(replace(forest), np.ones(1000, dtype=np.int64), floor=1)


def leaf_sums(tree: Tree, hessians: NDArray[np.int64], *, node: int = 0) -> int:
    """The hessians of all leaves below a node, by recursion; leaves in the order of nodes."""
    if tree.left[node] == NO_NODE:
        leaves = np.flatnonzero(tree.left == NO_NODE)
        return int(hessians[np.searchsorted(leaves, node)])
    children = (int(tree.left[node]), int(tree.right[node]))
    return sum(leaf_sums(tree, hessians, node=child) for child in children)


@given(st.integers(0, 10_000), st.integers(0, 2))
def test_hessians_that_serve_again_are_those_of_the_leaves_merged(seed: int, gone: int) -> None:
    """Without some of those counted more leaves are thin; each has the sum of what it merges."""
    rng = np.random.default_rng(seed)
    tree = random_tree(rng)
    counts, names = random_counts(rng, tree), frozenset("abcdefg")
    hessians = rng.integers(1, 100, int((tree.left == NO_NODE).sum()))
    opened = CountedLeaves(forest_of(tree), NodeCounts(counts, names)).with_hessians(hessians)
    left = sorted(names)[gone:]
    if counts[0] - gone < 2:
        return
    again = opened.among(left, floor=2)
    (merged,) = again.structures.trees
    assert outline(merged) == merged_outline(tree, counts - gone, 2)
    sums = again.sums_with(np.arange(int((merged.left == NO_NODE).sum()))).reshape(-1, 2)
    assert sums[:, 0].tolist() == list(range(len(sums)))
    assert sums[:, 1].sum() == hessians.sum() == leaf_sums(tree, hessians)
    assert sums[:, 1].tolist() == hessians_in_order(tree, counts - gone, hessians)


def hessians_in_order(
    tree: Tree, counts: NDArray[np.int64], hessians: NDArray[np.int64]
) -> list[int]:
    """Hessians of the merged tree's leaves, level by level."""
    found, level = [], [0]
    while level:
        below: list[int] = []
        for node in level:
            left, right = int(tree.left[node]), int(tree.right[node])
            if left == NO_NODE or min(counts[left], counts[right]) < 2:
                found.append(leaf_sums(tree, hessians, node=node))
            else:
                below += [left, right]
        level = below
    return found
