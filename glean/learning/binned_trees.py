"""Trees whose thresholds have become bins, so that rows are routed by bytes.

Trees that split at public edges come in; what goes out are the arrays that the loops over rows
take. On the bins a row ends in the leaf that it reaches by its values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from glean.learning.bin_layout import BinLayout
from glean.learning.kernels import BIN_BITS, COLUMN_BITS, kernels
from glean.learning.tree import NO_NODE, Nodes, Tree

Singles = NDArray[np.float32]
Whole = NDArray[np.int64]


_NOWHERE = (1 << BIN_BITS) - 1
"""Beyond every bin: that no bin is, and that all bins lie below."""


@dataclass(frozen=True, eq=False)
class BinnedTrees:
    """Many trees one after the other, their nodes in an order in which siblings are neighbours.

    Parameters
    ----------
    roots : uint32 array of shape (trees,)
        Node at which each tree starts.
    depth : int
        Splits on the longest way to a leaf.
    splits : uint64 array of shape (nodes,)
        From the lowest bit: the column, of `COLUMN_BITS`; how many of its first bins go left, and
        one further bin that does (`_NOWHERE`: none), each of `BIN_BITS`; the left child, behind
        which comes the right one. A leaf sends all rows to itself.
    value : float32 array of shape (nodes,)
        Value of a leaf.
    leaves : int64 array
        Nodes that are leaves, in the order that they have in the trees.
    """

    roots: NDArray[np.uint32]
    depth: int
    splits: NDArray[np.uint64]
    value: Singles
    leaves: Whole

    @classmethod
    def of(cls, trees: Sequence[Tree], layout: BinLayout) -> BinnedTrees:
        """Turn thresholds into bins.

        Raises
        ------
        ModelError
            A tree isn't one on the layout's columns, or splits elsewhere than at a public edge.
        """
        assert layout.columns <= 1 << COLUMN_BITS, "a split has room for its column"
        nodes = Nodes.of(trees).checked(layout.columns)
        inner = np.flatnonzero(nodes.left != NO_NODE)
        place = _places(nodes, inner)
        column = nodes.split_feature[inner].astype(np.int64)
        goes_left = layout.edges_at(column, nodes.value[inner]) + 1
        lost = np.where(nodes.default_left[inner] == 1, layout.missing_bins[column], _NOWHERE)
        everywhere = np.full(len(place), _NOWHERE)
        splits = _packed(np.zeros_like(everywhere), everywhere, everywhere, np.arange(len(place)))
        children = len(trees) + 2 * np.arange(len(inner))
        splits[place[inner]] = _packed(column, goes_left, lost, children)
        value = np.empty_like(nodes.value)
        value[place] = nodes.value
        return cls(
            roots=np.arange(len(trees), dtype=np.uint32),
            depth=_depth(nodes),
            splits=splits,
            value=value,
            leaves=place[nodes.left == NO_NODE],
        )


def _places(nodes: Nodes, inner: Whole) -> Whole:
    """Give the nodes their new places: the roots, then the children of each inner node."""
    origin = nodes.starts[nodes.tree_numbers[inner]]
    first = len(nodes.starts) - 1
    place = np.empty(len(nodes.left), dtype=np.int64)
    place[nodes.starts[:-1]] = np.arange(first)
    place[origin + nodes.left[inner]] = first + 2 * np.arange(len(inner))
    place[origin + nodes.right[inner]] = first + 2 * np.arange(len(inner)) + 1
    return place


def _packed(column: Whole, goes_left: Whole, lost: Whole, child: Whole) -> NDArray[np.uint64]:
    packed = child << BIN_BITS | lost
    return (packed << BIN_BITS | goes_left).astype(np.uint64) << np.uint64(COLUMN_BITS) | (
        column.astype(np.uint64)
    )


def _depth(nodes: Nodes) -> int:
    level, depth = nodes.starts[:-1], 0
    while (inner := level[nodes.left[level] != NO_NODE]).size:
        origin = nodes.starts[nodes.tree_numbers[inner]]
        level = np.concatenate([origin + nodes.left[inner], origin + nodes.right[inner]])
        depth += 1
    return depth


@lru_cache(maxsize=2)
def binned(trees: tuple[Tree, ...], layout: BinLayout) -> BinnedTrees:
    """Turn thresholds into bins, as `BinnedTrees.of`.

    The last ones are kept: in one process all bakeries follow the same trees, one after the other.
    """
    return BinnedTrees.of(trees, layout)


def leaves_reached(
    bins: NDArray[np.uint8], trees: Sequence[Tree], layout: BinLayout
) -> tuple[Whole, int]:
    """Find the leaf of each row in each tree.

    Parameters
    ----------
    bins : uint8 array of shape (rows, columns)
        From `BinLayout.binned`.
    trees : sequence of Tree
        On public edges.
    layout : BinLayout
        The public bins.

    Returns
    -------
    leaves : int64 array of shape (trees, rows)
        Counted over all trees, tree by tree in the order of their nodes.
    count : int
        Leaves of all trees.

    Raises
    ------
    ModelError
        A tree isn't one, or splits elsewhere than at a public edge.
    """
    nodes = BinnedTrees.of(trees, layout)
    reached = np.empty((len(trees), len(bins)), dtype=np.uint32)
    kernels().find_leaves(bins, nodes.roots, nodes.depth, nodes.splits, reached)
    place = np.empty(len(nodes.splits), dtype=np.int64)
    place[nodes.leaves] = np.arange(len(nodes.leaves))
    return place[reached], len(nodes.leaves)


def at_public_edges(tree: Tree, layout: BinLayout) -> Tree:
    """Move the thresholds of a tree that XGBoost grew on `in_bins` to public edges.

    The rows that it was grown on end in the same leaves as before.
    """
    inner = tree.left != NO_NODE
    column = tree.split_feature[inner].astype(np.int64)
    value = tree.value.copy()
    value[inner] = layout.thresholds(column, layout.nearest_edges(column, value[inner]))
    return replace(tree, value=value)
