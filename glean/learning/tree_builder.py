"""One tree on its way from the root to its leaves, told by sums what is in its nodes.

`HistogramGrower` grows several of these side by side. What comes in are the histograms of one
level, what goes out is the next request, or the tree. Only one child of each split is ever asked
for: its sibling's histogram is their parent's less its own, which is exact, as sums are whole
numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from glean.errors import ModelError
from glean.learning.bin_layout import BinLayout
from glean.learning.fixed_point import FixedPoint
from glean.learning.histogram_request import Splits, TreeRequest
from glean.learning.splits import BestSplits, Penalties, best_splits
from glean.learning.tree import NO_NODE, Tree

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Rules:
    """What holds for every tree of a group.

    Parameters
    ----------
    layout : BinLayout
        Where trees may split.
    penalties : Penalties
        What speaks against splits and large leaves.
    scale : FixedPoint
        The scale of the sums.
    max_depth : int
        Levels of splits, at most.
    leaf_factor : float32
        Learning rate, divided by the number of trees that are averaged.
    """

    layout: BinLayout
    penalties: Penalties
    scale: FixedPoint
    max_depth: int
    leaf_factor: np.float32

    def can_split(self, sums: Whole) -> NDArray[np.bool_]:
        """Whether nodes, sums of shape (nodes, 2), have hessian enough for two children."""
        return self.penalties.can_split(sums, scale=self.scale)


@dataclass(eq=False)
class TreeBuilder:
    """A tree and what is known of its nodes.

    Parameters
    ----------
    seed : int
        Seed of its row sample.
    columns : int64 array
        Columns that it may split on, ascending.
    rules : Rules
        What holds for every tree of the group.
    splits : Splits
        The tree so far.
    gains : float64 array of shape (splits,)
        Gain of each split.
    sums : int64 array of shape (nodes, 2)
        Gradient and hessian of every node.
    wanted : int64 array
        Nodes whose histograms are wanted next; none once the tree has grown up.
    parents : int64 array of shape (wanted, slots, 2) or None
        Histograms of their parents; None at the root.
    depth : int
        Levels that are done.
    """

    seed: int
    columns: Whole
    rules: Rules
    splits: Splits = field(default_factory=Splits.none)
    gains: Floats = field(default_factory=lambda: np.empty(0))
    sums: Whole = field(default_factory=lambda: np.zeros((1, 2), dtype=np.int64))
    wanted: Whole = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    parents: Whole | None = None
    depth: int = 0

    @property
    def is_grown(self) -> bool:
        """Whether nothing is wanted any more."""
        return len(self.wanted) == 0

    @property
    def widths(self) -> Whole:
        """Slots of each of its columns."""
        return self.rules.layout.widths[self.columns]

    def request(self) -> TreeRequest:
        """Say what is wanted next."""
        return TreeRequest(self.seed, self.columns, self.splits, self.wanted)

    def take(self, part: Whole) -> None:
        """Split the nodes of this level.

        Parameters
        ----------
        part : int64 array of `TreeRequest.shape`
            Histograms of the wanted nodes over all rows.

        Raises
        ------
        ModelError
            Sums that no rows can have.
        """
        rules = self.rules
        node, histograms = self.level(part)
        able = rules.can_split(self.sums[node])
        node, histograms = node[able], histograms[able]
        best = best_splits(
            histograms, self.widths, penalties=rules.penalties, scale=rules.scale
        ).only_valid()
        self._split(node[best.node], best)
        self.depth += 1
        self._choose_wanted(histograms[best.node])

    def level(self, part: Whole) -> tuple[Whole, Whole]:
        """Give the nodes of this level, ascending, and their histograms, checked."""
        if self.parents is None:
            self.sums = part[:, : self.widths[0]].sum(axis=1)
            node, histograms = self.wanted, part
        else:
            # Siblings are 1 and 2, 3 and 4, and so on.
            both = np.concatenate([self.wanted, ((self.wanted - 1) ^ 1) + 1])
            order = np.argsort(both)
            node, histograms = both[order], np.concatenate([part, self.parents - part])[order]
        totals = np.add.reduceat(histograms, np.cumsum(self.widths) - self.widths, axis=1)
        if (totals != self.sums[node][:, None]).any() or (histograms[:, :, 1] < 0).any():
            raise ModelError(
                "the sums of a tree's level don't fit together; wanted those of the same rows at "
                "every level: grow the tree anew"
            )
        return node, histograms

    def _split(self, node: Whole, best: BestSplits) -> None:
        self.splits = self.splits.plus(
            Splits(node, self.columns[best.column], best.edge, best.default_left)
        )
        self.gains = np.concatenate([self.gains, best.gain])
        children = np.stack([best.left, self.sums[node] - best.left], axis=1)
        self.sums = np.concatenate([self.sums, children.reshape(-1, 2)])

    def _choose_wanted(self, parents: Whole) -> None:
        """Want the child with the smaller hessian sum of each pair that may split further."""
        pairs = len(parents)
        first = len(self.sums) - 2 * pairs
        children = self.sums[first:].reshape(pairs, 2, 2)
        able = self.rules.can_split(self.sums[first:]).reshape(pairs, 2).any(axis=1)
        able &= self.depth < self.rules.max_depth
        right_is_smaller = children[:, 1, 1] < children[:, 0, 1]
        self.wanted = (first + 2 * np.arange(pairs) + right_is_smaller)[able]
        self.parents = parents[able]

    def finished(self) -> Tree:
        """Give the tree, its leaves being Newton steps."""
        rules, splits = self.rules, self.splits
        left = np.full(splits.nodes, NO_NODE, dtype=np.int32)
        left[splits.node] = 2 * np.arange(len(splits)) + 1
        value = rules.penalties.leaf_values(self.sums, scale=rules.scale, factor=rules.leaf_factor)
        value[splits.node] = rules.layout.thresholds(splits.column, splits.edge)
        column, default_left = np.zeros_like(left), np.zeros(len(left), dtype=np.uint8)
        column[splits.node] = splits.column
        default_left[splits.node] = splits.default_left
        right = np.where(left == NO_NODE, left, left + 1).astype(np.int32)
        return Tree(left, right, column, value, default_left)

    def node_gains(self) -> Floats:
        """Gain of each node's split, shape (nodes,), 0 at leaves."""
        gains = np.zeros(self.splits.nodes)
        gains[self.splits.node] = self.gains
        return gains
