"""Trees, and how many of some bakeries have rows in each of their nodes, made of random numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glean.learning.tree import NO_NODE, Tree

BAKERIES = 7


def random_tree(rng: np.random.Generator, *, depth: int = 4) -> Tree:
    """A tree whose nodes stand in the order in which they were split."""
    left, right, level = [NO_NODE], [NO_NODE], [(0, 0)]
    while level:
        node, above = level.pop(0)
        if above < depth and rng.random() < 0.8:
            left[node], right[node] = len(left), len(left) + 1
            left += [NO_NODE] * 2
            right += [NO_NODE] * 2
            level += [(left[node], above + 1), (right[node], above + 1)]
    inner = np.array(left) != NO_NODE
    size = len(left)
    return Tree(
        left=np.array(left, dtype=np.int32),
        right=np.array(right, dtype=np.int32),
        split_feature=np.where(inner, rng.integers(0, 5, size), 0).astype(np.int32),
        value=np.where(inner, rng.normal(size=size), 0).astype(np.float32),
        default_left=np.where(inner, rng.integers(0, 2, size), 0).astype(np.uint8),
    )


def random_counts(rng: np.random.Generator, tree: Tree) -> NDArray[np.int64]:
    """Counts by node of bakeries, each of which reaches some of the leaves."""
    there = np.zeros((len(tree), BAKERIES), dtype=bool)
    leaves = tree.left == NO_NODE
    there[leaves] = rng.random((leaves.sum(), BAKERIES)) < rng.choice([0.2, 0.5, 0.9])
    for node in np.flatnonzero(~leaves)[::-1]:
        there[node] = there[tree.left[node]] | there[tree.right[node]]
    counts: NDArray[np.int64] = there.sum(axis=1)
    return counts
