"""Opened sums by leaf in the unit of the tables: levels, and forecast less actual units.

A leaf's hessian is the sum of its rows' levels, its gradient that of level times (margin less
units / level). In the first round every margin is 1, so the two give the units as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from glean.aggregation.oblivious import decoded
from glean.audit.received import OpenedSum
from glean.federation.wire.sum_request import DAY_GRADIENTS, DAY_HESSIANS, LEAVES
from glean.learning.bin_layout import BinLayout
from glean.learning.day_sums import LARGEST_LEVEL
from glean.learning.fixed_point import FixedPoint
from glean.learning.forest import Forest
from glean.learning.oblivious_trees import LEAVES_PER_ROUND, random_trees
from glean.learning.structure import leaf_count
from glean.learning.tree import Tree

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LeafSums:
    """The sums of a round's leaves, tree by tree in the order of their nodes.

    Parameters
    ----------
    round : int
        The round.
    trees : tuple of Tree
        Whose leaves they are; what these hold is no matter.
    levels : float64 array of shape (leaves,)
        Sum of the levels of the rows in each.
    errors : float64 array of shape (leaves,)
        Sum of what the model so far forecasts for them, less what they are; units.
    """

    round: int
    trees: tuple[Tree, ...]
    levels: Floats
    errors: Floats

    @property
    def units(self) -> Floats:
        """Sum of the units, as it is where every row is forecast by its level."""
        return self.levels - self.errors

    def less(self, other: LeafSums) -> LeafSums:
        """Subtract the sums of another run in the trees that both have."""
        theirs = dict(other.by_tree())
        kept = [
            (tree, own - theirs[key])
            for (key, own), tree in zip(self.by_tree(), self.trees, strict=True)
            if key in theirs
        ]
        both = np.concatenate([sums for _, sums in kept]) if kept else np.empty((0, 2))
        return replace(
            self, trees=tuple(tree for tree, _ in kept), levels=both[:, 0], errors=both[:, 1]
        )

    def by_tree(self) -> Iterator[tuple[bytes, Floats]]:
        """Give each tree's structure and its sums, shape (leaves, 2)."""
        both = np.stack([self.levels, self.errors], axis=1)
        start = 0
        for tree in self.trees:
            end = start + int((tree.left < 0).sum())
            parts = (tree.left, tree.right, tree.split_feature, tree.value, tree.default_left)
            yield b"".join(part.tobytes() for part in parts), both[start:end]
            start = end


def opened_leaves(
    sums: Iterable[OpenedSum], *, layout: BinLayout, seed: int
) -> tuple[LeafSums, ...]:
    """Read the sums by leaf among opened ones.

    Parameters
    ----------
    sums : iterable of OpenedSum
        What the server opened, in order.
    layout : BinLayout
        The public bins.
    seed : int
        The run's, from which trees of `oblivious` are drawn.
    """
    found = []
    hessians: Floats = np.empty((0, LEAVES_PER_ROUND))
    for one in sums:
        if DAY_HESSIANS in one.request.parts:
            hessians = decoded(one.total).reshape(-1, LEAVES_PER_ROUND) * LARGEST_LEVEL
        elif DAY_GRADIENTS in one.request.parts:
            trees = random_trees(layout, seed=seed, number=one.round)
            errors = decoded(one.total[:LEAVES_PER_ROUND]) * LARGEST_LEVEL
            found.append(LeafSums(one.round, trees, hessians[one.round - 1], errors))
        elif LEAVES in one.request.parts:
            found.append(_refitted(one))
    return tuple(found)


def _refitted(one: OpenedSum) -> LeafSums:
    structures = Forest.from_bytes(one.structures)
    encoded = one.total[: 2 * leaf_count(structures)].reshape(-1, 2)
    gradient, hessian = FixedPoint.for_rows(one.request.rows).decode(encoded).T
    weight = one.request.unit_weight
    return LeafSums(one.round, structures.trees, hessian * weight, gradient * weight)
