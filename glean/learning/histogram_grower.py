"""Trees grown from sums alone: what to sum next, and what follows from the sums.

The server's part of histogram boosting. `request` says what all bakeries must sum, `take` takes
the sum of their replies, and after at most `max_depth` requests `trees` are there. Nothing here
knows of messages; whether the sums came masked or not is no matter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glean.errors import ModelError
from glean.learning.bin_layout import BinLayout
from glean.learning.fixed_point import FixedPoint
from glean.learning.histogram_request import HistogramRequest
from glean.learning.loss import Loss
from glean.learning.row_sample import MOST_SEED, sampled_columns, sampled_numbers
from glean.learning.splits import Penalties
from glean.learning.tree import Tree
from glean.learning.tree_builder import Rules, TreeBuilder
from glean.settings import BoostingSettings

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


class HistogramGrower:
    """A group of trees growing side by side on the same margins; their leaves are averaged.

    The group has `trees_per_round` times `num_parallel_tree` trees, each with rows and columns of
    its own. A group of K costs as few exchanges as one tree, and goes as far as one step.

    Parameters
    ----------
    layout : BinLayout
        Where trees may split.
    boosting : BoostingSettings
        How trees are grown.
    learning_rate : float
        Factor on every leaf, before the average.
    rows : int
        Rows that all bakeries declared together, which give the scale of the sums.
    seed : int
        Seed of row and column sampling, another one in every round; 0 to 2**63 - 1.

    Raises
    ------
    SettingsError
        The objective can't be followed by sums.
    FederationError
        There are no rows, or far too many.
    """

    def __init__(
        self,
        layout: BinLayout,
        boosting: BoostingSettings,
        *,
        learning_rate: float,
        rows: int,
        seed: int,
    ) -> None:
        count = boosting.trees_per_round * boosting.num_parallel_tree
        self._layout = layout
        self._subsample = boosting.subsample
        rules = Rules(
            layout,
            Penalties.of(boosting, Loss.of(boosting)),
            FixedPoint.for_rows(rows),
            boosting.max_depth,
            # XGBoost divides so, in float32.
            np.float32(learning_rate) / np.float32(count),
        )
        seeds = (sampled_numbers(seed, 2 * count) >> np.uint64(1)).astype(np.int64).tolist()
        assert max(seeds) <= MOST_SEED
        self._trees = [
            TreeBuilder(
                rows_seed,
                sampled_columns(layout.columns, columns_seed, share=boosting.colsample),
                rules,
            )
            for rows_seed, columns_seed in zip(seeds[:count], seeds[count:], strict=True)
        ]

    def request(self) -> HistogramRequest | None:
        """Say what all bakeries must sum next; None once every tree has grown up."""
        if all(tree.is_grown for tree in self._trees):
            return None
        return HistogramRequest(self._subsample, tuple(tree.request() for tree in self._trees))

    def take(self, sums: Whole) -> None:
        """Grow every tree by a level.

        Parameters
        ----------
        sums : int64 array of shape (request.size(layout),)
            The replies of all bakeries to `request`, added up.

        Raises
        ------
        ModelError
            Not what was asked for, or sums that no rows can have: of another length, negative
            hessians, columns that disagree, a child with more than its parent. The group must
            then be grown anew from its roots.
        """
        request = self.request()
        assert request is not None, "all trees have grown up"
        size = request.size(self._layout)
        if sums.dtype != np.int64 or sums.shape != (size,):
            raise ModelError(
                f"sums of {sums.dtype} and shape {sums.shape}; wanted int64 of shape ({size},)"
            )
        for tree, part in zip(self._trees, request.parts(sums, self._layout), strict=True):
            if not tree.is_grown:
                tree.take(part)

    def trees(self) -> tuple[Tree, ...]:
        """Give the trees, in the order of the group, once `request` is None."""
        assert self.request() is None, "trees are still growing"
        return tuple(tree.finished() for tree in self._trees)

    def gains(self) -> tuple[Floats, ...]:
        """Gain of each node's split, XGBoost's loss change; an array for each tree, 0 at leaves."""
        return tuple(tree.node_gains() for tree in self._trees)
