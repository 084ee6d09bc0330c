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

from glean.features.bin_layout import BinLayout
from glean.learning.tree import NO_NODE, Nodes, Tree

Singles = NDArray[np.float32]
Whole = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class BinnedTrees:
    """Many trees one after the other; arrays of shape (nodes,), but `roots`.

    Parameters
    ----------
    roots : int64 array of shape (trees,)
        Node at which each tree starts.
    left, right : int64
        Children, counted over all trees; -1 at a leaf.
    column, edge : int64
        Column of a split, and the last bin that goes left.
    default_left : uint8
        1 where missing values go left.
    value : float32
        Value of a leaf.
    missing : int64 array of shape (columns,)
        Bin of missing values.
    """

    roots: Whole
    left: Whole
    right: Whole
    column: Whole
    edge: Whole
    default_left: NDArray[np.uint8]
    value: Singles
    missing: Whole

    @classmethod
    def of(cls, trees: Sequence[Tree], layout: BinLayout) -> BinnedTrees:
        """Turn thresholds into bins.

        Raises
        ------
        ModelError
            A tree isn't one on the layout's columns, or splits elsewhere than at a public edge.
        """
        nodes = Nodes.of(trees).checked(layout.columns)
        inner = nodes.left != NO_NODE
        column = nodes.split_feature.astype(np.int64)
        edge = np.zeros(len(inner), dtype=np.int64)
        edge[inner] = layout.edges_at(column[inner], nodes.value[inner])
        origin = nodes.starts[nodes.owner]
        return cls(
            roots=nodes.starts[:-1],
            left=np.where(inner, origin + nodes.left, NO_NODE),
            right=np.where(inner, origin + nodes.right, NO_NODE),
            column=column,
            edge=edge,
            default_left=nodes.default_left,
            value=nodes.value,
            missing=layout.missing_bins,
        )

    @property
    def leaves(self) -> Whole:
        """Nodes that are leaves, ascending."""
        return np.flatnonzero(self.left == NO_NODE)

    @property
    def routes(self) -> tuple[NDArray[np.generic], ...]:
        """Give what the loops over rows need to find a row's leaf, in their order."""
        links = (self.roots, self.left, self.right)
        return (*links, self.column, self.edge, self.default_left, self.missing)


@lru_cache(maxsize=2)
def binned(trees: tuple[Tree, ...], layout: BinLayout) -> BinnedTrees:
    """Turn thresholds into bins, as `BinnedTrees.of`.

    The last ones are kept: in one process all bakeries follow the same trees, one after the other.
    """
    return BinnedTrees.of(trees, layout)


def at_public_edges(tree: Tree, layout: BinLayout) -> Tree:
    """Move the thresholds of a tree that XGBoost grew on `in_bins` to public edges.

    The rows that it was grown on end in the same leaves as before.
    """
    inner = tree.left != NO_NODE
    column = tree.split_feature[inner].astype(np.int64)
    value = tree.value.copy()
    value[inner] = layout.thresholds(column, layout.nearest_edges(column, value[inner]))
    return replace(tree, value=value)
