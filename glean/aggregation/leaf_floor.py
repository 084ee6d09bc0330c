"""A floor under leaves: none is opened in which fewer bakeries have rows than are wanted.

A count of bakeries by node is summed up first; thin leaves then merge into their parents. What is
opened of a leaf is thus a sum over that many bakeries at least. Differences of sums over several
trees or rounds can still be of fewer (`docs/privacy.md`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

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


def merged_leaves(structures: Forest, counts: Encoded, *, floor: int) -> Forest:
    """Merge leaves that too few bakeries reach into their parents.

    Parameters
    ----------
    structures : Forest
        Trees without leaf values.
    counts : int64 array of shape (node_count,)
        Bakeries that have rows in a node, in the order of trees and nodes.
    floor : int
        Bakeries that a leaf needs.

    Returns
    -------
    Forest
        As many trees; a node whose children were both to be opened stays split, any other is a
        leaf.

    Raises
    ------
    ModelError
        A root has too few, or the counts can't be those of trees.
    """
    nodes = Nodes.of(structures.trees)
    if len(counts) != len(nodes.left):
        raise ModelError(f"found {len(counts)} counts; wanted one for each of {len(nodes.left)}")
    roots = counts[nodes.starts[:-1]]
    if (roots < floor).any():
        raise ModelError(f"found {int(roots.min())} bakeries with rows; wanted {floor}")
    trees = (
        _merged(tree, counts[first:end] >= floor)
        for tree, (first, end) in zip(structures.trees, nodes.bounds, strict=True)
    )
    return replace(structures, trees=tuple(trees))


def _merged(tree: Tree, thick: NDArray[np.bool_]) -> Tree:
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
    return Tree(
        left=np.where(split, place[tree.left[order]], NO_NODE).astype(np.int32),
        right=np.where(split, place[tree.right[order]], NO_NODE).astype(np.int32),
        split_feature=np.where(split, tree.split_feature[order], 0).astype(np.int32),
        value=np.where(split, tree.value[order], np.float32(0)).astype(np.float32),
        default_left=np.where(split, tree.default_left[order], 0).astype(np.uint8),
    )
