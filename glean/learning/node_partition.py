"""Which rows are in which node of a growing tree, sorted so that a node's rows lie together.

A row sample comes in at the root; splits come level by level and part the rows further.
`GradientHistograms` sums over the rows of the nodes that it is asked about, and looks at no others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glean.learning.bin_layout import BinLayout
from glean.learning.histogram_request import Splits, TreeRequest
from glean.learning.kernels import kernels
from glean.learning.row_sample import Keys, seed_number

Whole = NDArray[np.int64]


def drawn_rows(keys: Keys, seed: int, *, share: float, of: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Give the positions of the rows of some that a tree draws, ascending."""
    if share >= 1.0:
        return np.flatnonzero(of).astype(np.int32)
    rows = np.empty(len(keys) + 1, dtype=np.int32)
    return rows[: kernels().draw_rows(keys, seed_number(seed), share, of, rows)]


@dataclass(frozen=True, eq=False)
class NodePartition:
    """Rows that a tree drew, by node: those of node k are `rows[begin[k]:end[k]]`.

    Parameters
    ----------
    seed, subsample
        What the rows were drawn by.
    splits : Splits
        The tree.
    rows : int32 array
        Positions of the rows that were drawn.
    begin, end : int64 arrays of shape (nodes,)
        Bounds of each node's rows.
    """

    seed: int
    subsample: float
    splits: Splits
    rows: NDArray[np.int32]
    begin: Whole
    end: Whole

    @classmethod
    def at_root(cls, seed: int, subsample: float, rows: NDArray[np.int32]) -> NodePartition:
        """Put all rows into the root."""
        bounds = np.array([0]), np.array([len(rows)])
        return cls(seed, subsample, Splits.none(), rows, *bounds)

    def leads_to(self, tree: TreeRequest, subsample: float) -> bool:
        """Whether going on from these rows leads to the tree's: its splits begin with theirs."""
        same = self.seed == tree.seed and self.subsample == subsample
        return same and tree.splits.begin_with(self.splits)

    def after(self, splits: Splits, bins: NDArray[np.uint8], layout: BinLayout) -> NodePartition:
        """Place the rows after further splits; the array of rows is used on."""
        done = len(self.splits)
        if len(splits) == done:
            return self
        begin, end = np.zeros((2, splits.nodes), dtype=np.int64)
        begin[: len(self.begin)], end[: len(self.end)] = self.begin, self.end
        kernels().part_rows(
            bins,
            self.rows,
            begin,
            end,
            done,
            splits.node,
            splits.column,
            splits.edge,
            splits.default_left,
            layout.missing_bins,
        )
        return NodePartition(self.seed, self.subsample, splits, self.rows, begin, end)
