"""A bakery's rows as bins: it follows the model on them, and sums up gradients and hessians.

Rows go in once, become bins, and stay. Trees come in, and out go margins. The server's requests
come in, and out go sums by bin of the nodes that it asks for, or by leaf of trees that it names:
integers, ready to be masked and added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.features.matrix import FeatureMatrix
from glean.learning.bin_layout import BinLayout
from glean.learning.binned_trees import BinnedTrees, binned
from glean.learning.booster import start_margin
from glean.learning.fixed_point import FixedPoint
from glean.learning.histogram_request import HistogramRequest, TreeRequest
from glean.learning.kernels import kernels
from glean.learning.loss import Loss
from glean.learning.node_partition import NodePartition, drawn_rows
from glean.learning.stored_bins import StoredBins
from glean.learning.tree import NO_NODE, Nodes, Tree
from glean.settings import BoostingSettings

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Whole = NDArray[np.int64]

_TREES_AT_ONCE = 32
"""Whose leaves are held in memory at a time."""


class GradientHistograms(StoredBins):
    """The rows of one bakery (or of all, pooled) as bins, ready to be summed.

    Every reply follows from the request alone. What was found for the last request is kept,
    and used where the next one goes on from it: the gradients at the same margin, and which rows
    are in which node.

    Parameters
    ----------
    features : FeatureMatrix
        Rows with NaN `y` are days still to come: they have margins and add nothing to a sum.
    layout : BinLayout
        The public bins.
    boosting : BoostingSettings
        The loss that gradients are of.
    names : callable, optional
        Gives `features.keys` when a sample is drawn for the first time; without it they are kept.

    Attributes
    ----------
    sold_rows : int
        Rows that count: what a bakery declares.
    """

    def __init__(
        self,
        features: FeatureMatrix,
        layout: BinLayout,
        boosting: BoostingSettings,
        *,
        names: Callable[[], pd.DataFrame] | None = None,
    ) -> None:
        super().__init__(features, layout, names)
        self._boosting = boosting
        self._gradients: _Gradients | None = None
        self._partitions: list[NodePartition] = []

    @classmethod
    def restored(
        cls,
        arrays: Mapping[str, NDArray[Any]],
        layout: BinLayout,
        boosting: BoostingSettings,
        *,
        names: Callable[[], pd.DataFrame],
    ) -> Self:
        """Take what `arrays` gave; what was found for the last request is found again."""
        begun: dict[str, object] = {"_boosting": boosting, "_gradients": None, "_partitions": []}
        return cls.of_arrays(arrays, layout, names, **begun)

    @property
    def nbytes(self) -> int:
        """Bytes in memory, with what was found for the last request."""
        kept = self._gradients
        beside = 0 if kept is None else kept.rounded.nbytes + len(kept.margin)
        return super().nbytes + beside + sum(each.rows.nbytes for each in self._partitions)

    @cached_property
    def _loss(self) -> Loss:
        return Loss.of(self._boosting)

    @property
    def total_weight(self) -> float:
        """Sum of the weights of the rows that count."""
        return float(self._weight.sum())

    def start(self) -> Singles:
        """Margin of the model without trees, shape (rows,): the level everywhere."""
        return np.full(len(self._y), start_margin(self._boosting.objective), dtype=np.float32)

    def add(self, margin: Singles, trees: Sequence[Tree]) -> Singles:
        """Margin once trees are added to a model with `margin`, shape (rows,).

        Bit for bit what `TreeLearner.add` and XGBoost give.

        Raises
        ------
        ModelError
            A tree splits elsewhere than at a public edge.
        """
        found = margin.copy()
        if trees and len(found):
            nodes = binned(tuple(trees), self._layout)
            for leaves in self._reached(nodes):
                kernels().add_leaves(leaves, nodes.value, found)
        return found

    def histograms(
        self, margin: Singles, request: HistogramRequest, *, unit_weight: float, scale: FixedPoint
    ) -> Whole:
        """Answer a request.

        Parameters
        ----------
        margin : float32 array of shape (rows,)
            Where the model stands.
        request : HistogramRequest
            What is asked, on the same layout.
        unit_weight : float
            Mean weight of the federation's rows.
        scale : FixedPoint
            The scale of the sums.

        Returns
        -------
        int64 array of shape (request.size(layout),)
            Gradient and hessian of each slot, by tree and wanted node.

        Raises
        ------
        SettingsError
            The objective can't be followed by sums.
        """
        gradients = self._rounded(margin, unit_weight, scale)
        sums, parts = request.blank(self._layout)
        for k, (tree, part) in enumerate(zip(request.trees, parts, strict=True)):
            if len(tree.wanted):
                self._sum_by_bin(gradients, self._partition(k, tree, request.subsample), tree, part)
        return sums

    def leaf_sums(
        self, margin: Singles, trees: Sequence[Tree], *, unit_weight: float, scale: FixedPoint
    ) -> Whole:
        """Sum over all rows by the leaf that they reach.

        Parameters
        ----------
        margin, unit_weight, scale
            As for `histograms`.
        trees : sequence of Tree
            Structures on public edges; what their leaves hold is no matter.

        Returns
        -------
        int64 array of shape (leaves, 2)
            Gradient and hessian of every leaf, tree by tree in the order of their nodes.

        Raises
        ------
        ModelError
            A tree isn't one, or splits elsewhere than at a public edge.
        SettingsError
            The objective can't be followed by sums.
        """
        gradients = self._rounded(margin, unit_weight, scale)
        nodes = binned(tuple(trees), self._layout)
        sums = np.zeros((len(nodes.splits), 2), dtype=np.int64)
        for leaves in self._reached(nodes):
            kernels().sum_by_leaf(leaves, gradients, sums)
        return sums[nodes.leaves]

    def occupied_nodes(self, trees: Sequence[Tree]) -> Whole:
        """Say in which nodes there are rows that weigh something.

        Parameters
        ----------
        trees : sequence of Tree
            Structures on public edges.

        Returns
        -------
        int64 array of shape (nodes,)
            1 or 0, tree by tree in the order of their nodes.

        Raises
        ------
        ModelError
            A tree isn't one, or splits elsewhere than at a public edge.
        """
        binned_nodes, nodes = binned(tuple(trees), self._layout), Nodes.of(trees)
        weighs = self._weight > 0.0
        reached = np.zeros(len(binned_nodes.splits), dtype=np.bool_)
        for leaves in self._reached(binned_nodes):
            reached[leaves[:, weighs]] = True
        present = np.zeros(len(nodes.left), dtype=np.bool_)
        present[nodes.left == NO_NODE] = reached[binned_nodes.leaves]
        inner = np.flatnonzero(nodes.left != NO_NODE)
        origin = nodes.starts[nodes.tree_numbers[inner]]
        left, right = origin + nodes.left[inner], origin + nodes.right[inner]
        for _ in range(binned_nodes.depth):
            present[inner] = present[left] | present[right]
        return present.astype(np.int64)

    def _reached(self, nodes: BinnedTrees) -> Iterator[NDArray[np.uint32]]:
        """Find the leaf of each row, shape (trees, rows), some trees at a time."""
        for first in range(0, len(nodes.roots), _TREES_AT_ONCE):
            roots = nodes.roots[first : first + _TREES_AT_ONCE]
            leaves = np.empty((len(roots), len(self.bins)), dtype=np.uint32)
            kernels().find_leaves(self.bins, roots, nodes.depth, nodes.splits, leaves)
            yield leaves

    def _rounded(self, margin: Singles, unit_weight: float, scale: FixedPoint) -> Whole:
        """Gradient and hessian of each row on the scale, shape (rows, 2)."""
        kept = self._gradients
        if kept is None or not kept.are_of(margin, unit_weight, scale):
            weight = self._weight / unit_weight
            scale.note_weights(weight)
            rounded = scale.encode_pairs(*self._loss.gradients(self._y, margin), weight)
            kept = self._gradients = _Gradients(margin.tobytes(), unit_weight, scale, rounded)
        return kept.rounded

    def _partition(self, number: int, tree: TreeRequest, subsample: float) -> NodePartition:
        """Which rows are in which node of the group's tree `number`."""
        kept = self._partitions[number] if number < len(self._partitions) else None
        if kept is None or not kept.leads_to(tree, subsample):
            rows = drawn_rows(self._keys, tree.seed, share=subsample, of=self._weighs)
            kept = NodePartition.at_root(tree.seed, subsample, rows)
        partition = kept.after(tree.splits, self._columns, self._layout)
        self._partitions[number : number + 1] = [partition]
        return partition

    def _sum_by_bin(
        self, gradients: Whole, partition: NodePartition, tree: TreeRequest, part: Whole
    ) -> None:
        bounds = partition.begin[tree.wanted], partition.end[tree.wanted]
        at = tree.places(self._layout)
        kernels().sum_by_bin(
            self.bins, gradients, partition.rows, *bounds, at.columns, at.starts, part
        )


@dataclass(frozen=True, eq=False)
class _Gradients:
    """Rounded gradients, and what they follow from."""

    margin: bytes
    unit_weight: float
    scale: FixedPoint
    rounded: Whole

    def are_of(self, margin: Singles, unit_weight: float, scale: FixedPoint) -> bool:
        same = self.unit_weight == unit_weight and self.scale == scale
        # Compared by value, as a margin may have been changed in place, or read anew.
        return same and self.margin == margin.tobytes()
