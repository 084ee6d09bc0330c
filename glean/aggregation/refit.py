"""Refitted leaves: structures that a few proposed get their values from sums over all bakeries.

Each leaf takes the Newton step of the whole federation's gradient and hessian sums (Chen and
Guestrin, KDD 2016, equation 5); the trees of a round are averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from glean.errors import ModelError
from glean.learning.bin_layout import BinLayout
from glean.learning.fixed_point import FixedPoint
from glean.learning.forest import Forest
from glean.learning.loss import Loss
from glean.learning.splits import Penalties
from glean.learning.structure import check_public_edges, leaf_count
from glean.learning.tree import NO_NODE
from glean.settings import BoostingSettings

Encoded = NDArray[np.int64]


def checked_structure(forest: Forest, layout: BinLayout) -> Forest:
    """Return a bakery's proposal if it holds structures and nothing else.

    Raises
    ------
    ModelError
        A leaf has a value, or a threshold isn't a public bin edge.
    """
    if any(tree.value[tree.left == NO_NODE].any() for tree in forest.trees):
        raise ModelError("found a leaf with a value; wanted structures, whose leaves are 0")
    check_public_edges(forest, layout)
    return forest


def joined(proposals: Sequence[Forest]) -> Forest:
    """Put proposals, at least one, behind each other."""
    first, *others = proposals
    return first.plus([tree for other in others for tree in other.trees])


def encoded_length(structures: Forest) -> int:
    """Length of the vector of leaf sums: a gradient and a hessian for each leaf."""
    return 2 * leaf_count(structures)


def refitted(
    structures: Forest,
    sums: Encoded,
    *,
    rows: int,
    learning_rate: float,
    boosting: BoostingSettings,
) -> Forest:
    """Give every leaf its value.

    Parameters
    ----------
    structures : Forest
        The proposals of the round.
    sums : int64 array of shape (encoded_length,)
        Gradient and hessian sum of each leaf over all bakeries, in the order of trees and nodes.
    rows : int
        Training rows of the federation, which give the scale of the sums.
    learning_rate : float
        Factor on every leaf, before the average.
    boosting : BoostingSettings
        Loss and penalties. `min_child_weight` bounds splits, which were chosen by the proposers,
        and doesn't count here.

    Returns
    -------
    Forest
        The trees that are new in the model.
    """
    values = leaf_penalties(boosting).leaf_values(
        sums.reshape(-1, 2),
        scale=FixedPoint.for_rows(rows),
        factor=np.float32(learning_rate / structures.tree_count),
    )
    return with_values(structures, values)


def leaf_penalties(boosting: BoostingSettings) -> Penalties:
    """Give the penalties of leaves, without the weight that bounds splits."""
    return replace(Penalties.of(boosting, Loss.of(boosting)), min_child_weight=0.0)


def with_values(structures: Forest, values: NDArray[np.float32]) -> Forest:
    """Put values into leaves, float32 of shape (leaf_count,), in the order of trees and nodes."""
    trees, start = [], 0
    for tree in structures.trees:
        leaf = tree.left == NO_NODE
        value = tree.value.copy()
        value[leaf] = values[start : start + leaf.sum()]
        start += int(leaf.sum())
        trees.append(replace(tree, value=value))
    return replace(structures, trees=tuple(trees))
