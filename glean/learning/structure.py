"""Trees without leaf values: all that a bakery gives away of them where leaves are refitted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glean.features.bin_layout import BinLayout
from glean.learning.binned_trees import at_public_edges
from glean.learning.forest import Forest
from glean.learning.tree import NO_NODE


def structure_of(forest: Forest, layout: BinLayout) -> Forest:
    """Forget the leaf values, and put every threshold onto a public edge.

    Above the largest and below the smallest value of a bakery XGBoost makes up thresholds of its
    own, which would tell something of these.
    """
    trees = (at_public_edges(tree, layout) for tree in forest.trees)
    return replace(
        forest,
        trees=tuple(
            replace(tree, value=np.where(tree.left == NO_NODE, np.float32(0), tree.value))
            for tree in trees
        ),
    )


def leaf_count(forest: Forest) -> int:
    """Count the leaves of all trees."""
    return int(sum((tree.left == NO_NODE).sum() for tree in forest.trees))
