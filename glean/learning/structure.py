"""Trees as a bakery gives them away: on public edges, and without leaves that are refitted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glean.learning.bin_layout import BinLayout
from glean.learning.binned_trees import at_public_edges
from glean.learning.forest import Forest
from glean.learning.tree import NO_NODE, Nodes, Tree


def on_public_edges(forest: Forest, layout: BinLayout) -> Forest:
    """Put every threshold of trees that XGBoost grew onto a public edge.

    Above the largest and below the smallest value of a bakery XGBoost makes up thresholds of its
    own, which would tell something of these.
    """
    return replace(forest, trees=tuple(at_public_edges(tree, layout) for tree in forest.trees))


def check_public_edges(forest: Forest, layout: BinLayout) -> None:
    """Refuse trees that not every bakery could follow on its bins.

    Raises
    ------
    ModelError
        A threshold isn't a public edge.
    """
    nodes = Nodes.of(forest.trees)
    inner = nodes.left != NO_NODE
    layout.edges_at(nodes.split_feature[inner].astype(np.int64), nodes.value[inner])


def structure_of(forest: Forest, layout: BinLayout) -> Forest:
    """Put every threshold onto a public edge, and forget the leaf values."""
    return replace(
        forest,
        trees=tuple(
            replace(tree, value=np.where(tree.left == NO_NODE, np.float32(0), tree.value))
            for tree in on_public_edges(forest, layout).trees
        ),
    )


def leaf_count(forest: Forest) -> int:
    """Count the leaves of all trees."""
    return int(sum((tree.left == NO_NODE).sum() for tree in forest.trees))


def node_count(forest: Forest) -> int:
    """Count the nodes of all trees."""
    return sum(len(tree) for tree in forest.trees)


def deepest(forest: Forest) -> int:
    """Count the levels of splits of the deepest tree; 0 where all are leaves."""
    return max((_depth(tree) for tree in forest.trees), default=0)


def _depth(tree: Tree) -> int:
    levels, nodes = -1, np.zeros(1, dtype=np.int64)
    while len(nodes):
        levels += 1
        inner = nodes[tree.left[nodes] != NO_NODE]
        nodes = np.concatenate([tree.left[inner], tree.right[inner]]).astype(np.int64)
    return levels
