"""Refitted leaves where sums are made in groups: each leaf takes the median of the groups' values.

Each group sums up leaves of its own: those of the common structures, merged where too few of its
bakeries have rows. So it has a value for every common leaf, that of its own leaf that holds it. As
long as fewer than half of the groups hold a liar, the median lies between values of honest groups.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from glean.aggregation.leaf_floor import CountedLeaves
from glean.aggregation.refit import leaf_penalties, with_values
from glean.errors import ModelError
from glean.learning.fixed_point import FixedPoint
from glean.learning.forest import Forest
from glean.learning.structure import leaf_count
from glean.learning.tree import NO_NODE, Tree
from glean.settings import BoostingSettings

Encoded = NDArray[np.int64]
Floats = NDArray[np.float64]

STEP = 2.0
"""How many times the median a leaf takes. Where groups differ the median is nearer to zero than
their common step, most of all in leaves that few rows reach. Chosen on validation windows."""


@dataclass(frozen=True)
class GroupedLeaves:
    """Structures that were proposed to all, and what each group counted and opened of them.

    Parameters
    ----------
    proposed : Forest
        Trees without leaf values.
    groups : mapping of int to CountedLeaves
        By group: the same trees, merged where too few of its bakeries have rows.
    """

    proposed: Forest
    groups: Mapping[int, CountedLeaves]

    @property
    def bakeries(self) -> frozenset[str]:
        """All who were counted."""
        return frozenset().union(*(one.counts.bakeries for one in self.groups.values()))

    @property
    def hessians_known(self) -> bool:
        """Whether they were opened, so that they can serve again."""
        return all(one.hessians is not None for one in self.groups.values())

    def among(self, names: Collection[str], *, floor: int) -> Self:
        """Merge leaves that too few reach, without groups whose roots too few do.

        Parameters
        ----------
        names : collection of str
            Who is there.
        floor : int
            Bakeries of a group that each of its leaves needs.
        """
        found: dict[int, CountedLeaves] = {}
        for place, leaves in self.groups.items():
            with suppress(ModelError):
                found[place] = leaves.among(leaves.counts.bakeries & {*names}, floor=floor)
        return replace(self, groups=found)

    def of_whole_groups(self, names: Collection[str]) -> Self:
        """Leave out groups of which somebody isn't among these."""
        whole = {p: one for p, one in self.groups.items() if one.counts.bakeries <= {*names}}
        return replace(self, groups=whole)

    def over_same_cohorts(self, names: Collection[str], before: Collection[frozenset[str]]) -> Self:
        """Leave out groups that would be summed over others of these than before."""
        found: dict[int, CountedLeaves] = {}
        for place, one in self.groups.items():
            left = one.counts.bakeries & {*names}
            if all(left == cohort for cohort in before if left & cohort):
                found[place] = one
        return replace(self, groups=found)

    def with_hessians(self, pairs: Mapping[int, Encoded]) -> Self:
        """Add what was opened of some groups' leaves, as `pairs` gives it; without the others."""
        found = {
            place: self.groups[place].with_hessians(sums[1::2]) for place, sums in pairs.items()
        }
        return replace(self, groups=found)

    def pairs(self, place: int, total: Encoded) -> Encoded:
        """Read gradient and hessian of each leaf of a group, int64 of shape (2 * leaves,).

        Parameters
        ----------
        place : int
            The group.
        total : int64 array
            Its sum, which begins with pairs; or with gradients, where hessians serve again.
        """
        one = self.groups[place]
        leaves = leaf_count(one.structures)
        return total[: 2 * leaves] if one.hessians is None else one.sums_with(total[:leaves])


def holding_leaves(proposed: Forest, merged: Forest) -> NDArray[np.int64]:
    """Find the leaf of merged trees that holds each leaf of those proposed.

    Parameters
    ----------
    proposed : Forest
        Trees.
    merged : Forest
        The same trees, some of whose splits are leaves.

    Returns
    -------
    int64 array of shape (leaves of `proposed`,)
        Positions among the leaves of `merged`, each in the order of trees and nodes.
    """
    found, start = [], 0
    for tree, smaller in zip(proposed.trees, merged.trees, strict=True):
        leaves = smaller.left == NO_NODE
        ranks = start + np.cumsum(leaves) - 1
        found.append(ranks[_holding_nodes(tree, smaller)[tree.left == NO_NODE]])
        start += int(leaves.sum())
    return np.concatenate(found)


def _holding_nodes(tree: Tree, smaller: Tree) -> NDArray[np.int64]:
    """Give for each node the one of the smaller tree that is the same, or holds it."""
    places = np.zeros(len(tree), dtype=np.int64)
    for node in np.flatnonzero(tree.left != NO_NODE):  # children stand behind parents
        place = places[node]
        split = smaller.left[place] != NO_NODE
        places[tree.left[node]] = smaller.left[place] if split else place
        places[tree.right[node]] = smaller.right[place] if split else place
    return places


def group_values(
    proposed: Forest,
    merged: Forest,
    sums: Encoded,
    *,
    share: float,
    rows: int,
    boosting: BoostingSettings,
) -> Floats:
    """Give a group's value of each leaf that was proposed.

    Parameters
    ----------
    proposed, merged : Forest
        The structures of all, and the group's own.
    sums : int64 array of shape (2 * leaves of `merged`,)
        Gradient and hessian sum of each of its leaves.
    share : float
        The part of all bakeries that its sums are of; penalties count by it.
    rows : int
        Training rows of the federation, which give the scale of the sums.
    boosting : BoostingSettings
        Loss and penalties.

    Returns
    -------
    float64 array of shape (leaves of `proposed`,)
        Newton steps (Chen and Guestrin, KDD 2016, equation 5).
    """
    gradient, hessian = FixedPoint.for_rows(rows).decode(sums.reshape(-1, 2)).T / share
    found: Floats = leaf_penalties(boosting).weights(gradient, hessian)
    return found[holding_leaves(proposed, merged)]


def median_refitted(proposed: Forest, values: Floats, *, learning_rate: float) -> Forest:
    """Give every leaf `STEP` times the median of the groups' values, times its part of the step.

    Parameters
    ----------
    proposed : Forest
        The structures of the round.
    values : float64 array of shape (groups, leaves)
        As `group_values` has them.
    learning_rate : float
        Factor on every leaf, before the average over trees.

    Returns
    -------
    Forest
        The trees that are new in the model.
    """
    medians = np.median(values, axis=0).astype(np.float32)
    return with_values(proposed, medians * np.float32(STEP * learning_rate / proposed.tree_count))
