"""A floor under leaves: none is opened in which fewer bakeries have rows than are wanted.

A count of bakeries by node is summed up first; thin leaves then merge into their parents. What is
opened of a leaf is thus a sum over that many bakeries at least. Differences of sums over several
trees or rounds can still be of fewer (`docs/privacy.md`): so counts and hessians aren't opened anew
without one of those counted, and `CountedLeaves` serves again, with fresh gradient sums.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from glean.errors import ModelError
from glean.learning.forest import Forest
from glean.learning.tree import NO_NODE, Nodes, Tree

Encoded = NDArray[np.int64]


@dataclass(frozen=True)
class NodeCounts:
    """How many bakeries have rows in each node.

    Parameters
    ----------
    counts : int64 array of shape (node_count,)
        In the order of trees and nodes.
    bakeries : frozenset of str
        Who was counted.
    """

    counts: Encoded
    bakeries: frozenset[str]

    def least_among(self, names: Collection[str]) -> Encoded:
        """Give the counts of some of them at least, as the others may have been in any node."""
        return self.counts - len(self.bakeries - {*names})


@dataclass(frozen=True)
class CountedLeaves:
    """Structures with what was opened of them once, and what stays of that without some bakeries.

    Parameters
    ----------
    structures : Forest
        Trees without leaf values.
    counts : NodeCounts
        How many bakeries have rows in each of their nodes.
    hessians : int64 array of shape (node_count,) or None
        Hessian sum of each node over all who were counted; None before it was opened.
    """

    structures: Forest
    counts: NodeCounts
    hessians: Encoded | None = None

    def among(self, names: Collection[str], *, floor: int) -> Self:
        """Merge leaves into their parents that too few reach among some of those who were counted.

        Parameters
        ----------
        names : collection of str
            Whose numbers will be summed up.
        floor : int
            Bakeries that a leaf needs.

        Raises
        ------
        ModelError
            A root has too few, or the counts can't be those of trees.
        """
        counts = self.counts.least_among(names)
        structures, kept = _merged_forest(self.structures, counts, floor)
        left = NodeCounts(self.counts.counts[kept], self.counts.bakeries)
        hessians = None if self.hessians is None else self.hessians[kept]
        return replace(self, structures=structures, counts=left, hessians=hessians)

    def with_hessians(self, hessians: Encoded) -> Self:
        """Add what was opened of the leaves, int64 of shape (leaf_count,)."""
        nodes = Nodes.of(self.structures.trees)
        found = np.zeros(len(nodes.left), dtype=np.int64)
        found[nodes.left == NO_NODE] = hessians
        for tree, (first, end) in zip(self.structures.trees, nodes.bounds, strict=True):
            sums = found[first:end]
            for node in np.flatnonzero(tree.left != NO_NODE)[::-1]:  # children stand behind parents
                sums[node] = sums[tree.left[node]] + sums[tree.right[node]]
        return replace(self, hessians=found)

    def sums_with(self, gradients: Encoded) -> Encoded:
        """Put gradient sums of the leaves, shape (leaf_count,), before each one's hessian."""
        assert self.hessians is not None, "they were opened"
        leaves = Nodes.of(self.structures.trees).left == NO_NODE
        return np.stack([gradients, self.hessians[leaves]], axis=1).ravel()


def _merged_forest(
    structures: Forest, counts: Encoded, floor: int
) -> tuple[Forest, NDArray[np.int64]]:
    """Merge; which nodes are left, in their new order.

    A node whose children were both to be opened stays split, any other is a leaf.
    """
    nodes = Nodes.of(structures.trees)
    if len(counts) != len(nodes.left):
        raise ModelError(f"found {len(counts)} counts; wanted one for each of {len(nodes.left)}")
    roots = counts[nodes.starts[:-1]]
    if (roots < floor).any():
        raise ModelError(f"found {int(roots.min())} contributors with rows; wanted {floor}")
    trees, kept = [], []
    for tree, (first, end) in zip(structures.trees, nodes.bounds, strict=True):
        merged, order = _merged(tree, counts[first:end] >= floor)
        trees.append(merged)
        kept.append(first + order)
    return replace(structures, trees=tuple(trees)), np.concatenate(kept)


def _merged(tree: Tree, thick: NDArray[np.bool_]) -> tuple[Tree, NDArray[np.int64]]:
    """Keep the splits of one tree of which both sides are thick, from the root on."""
    kept, level = [], np.zeros(1, dtype=np.int64)
    while len(level):
        inner = level[tree.left[level] != NO_NODE]
        inner = inner[thick[tree.left[inner]] & thick[tree.right[inner]]]
        kept.append((level, inner))
        level = np.stack([tree.left[inner], tree.right[inner]], axis=1).ravel().astype(np.int64)
    order = np.concatenate([level for level, _ in kept])
    split = np.isin(order, np.concatenate([inner for _, inner in kept]))
    place = np.zeros(len(tree), dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    merged = Tree(
        left=np.where(split, place[tree.left[order]], NO_NODE).astype(np.int32),
        right=np.where(split, place[tree.right[order]], NO_NODE).astype(np.int32),
        split_feature=np.where(split, tree.split_feature[order], 0).astype(np.int32),
        value=np.where(split, tree.value[order], np.float32(0)).astype(np.float32),
        default_left=np.where(split, tree.default_left[order], 0).astype(np.uint8),
    )
    return merged, order
