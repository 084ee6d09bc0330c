"""Where a node splits best, from the sums of its histogram alone; and what a leaf is worth.

Histograms of many nodes come in, the best split of each goes out. Formulas and refusals are
XGBoost's (Chen and Guestrin, KDD 2016, equations 5 to 7; L1 and delta step as its `hist` has them).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from glean.learning.fixed_point import FixedPoint
from glean.learning.loss import Loss
from glean.settings import BoostingSettings

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

LEAST_GAIN = 1e-6
"""XGBoost's kRtEps: a split must gain more than this."""

_NODES_AT_ONCE = 256
"""Nodes looked at side by side, so that wide trees don't need gigabytes."""


@dataclass(frozen=True)
class Penalties:
    """What speaks against splits and large leaves, in XGBoost's words.

    Parameters
    ----------
    reg_lambda, reg_alpha : float
        L2 and L1 penalty on a leaf's weight.
    gamma : float
        Least gain of a split.
    min_child_weight : float
        Least hessian sum of a node that has a weight.
    max_delta_step : float
        Largest weight of a leaf; 0: any.
    """

    reg_lambda: float = 1.0
    reg_alpha: float = 0.0
    gamma: float = 0.0
    min_child_weight: float = 1.0
    max_delta_step: float = 0.0

    @classmethod
    def of(cls, boosting: BoostingSettings, loss: Loss) -> Self:
        """Take them from the settings; the delta step is the loss's."""
        return cls(
            boosting.reg_lambda,
            boosting.reg_alpha,
            boosting.gamma,
            boosting.min_child_weight,
            loss.max_delta_step,
        )

    def weights(self, gradient: Floats, hessian: Floats) -> Floats:
        """Newton step of leaves with these sums, any shape: -G / (H + lambda), penalised."""
        usable = (hessian > 0.0) & (hessian >= self.min_child_weight)
        weights = -self._shrunk(gradient) / np.where(usable, hessian + self.reg_lambda, 1.0)
        if self.max_delta_step > 0.0:
            weights = np.clip(weights, -self.max_delta_step, self.max_delta_step)
        return np.where(usable, weights, 0.0)

    def gains(self, gradient: Floats, hessian: Floats) -> Floats:
        """Twice the loss that leaves with these sums take away, any shape."""
        if self.max_delta_step > 0.0:
            w = self.weights(gradient, hessian)
            gains = -(2.0 * gradient * w + (hessian + self.reg_lambda) * w**2)
        else:
            with np.errstate(divide="ignore", invalid="ignore"):
                gains = self._shrunk(gradient) ** 2 / (hessian + self.reg_lambda)
        return np.where(hessian > 0.0, gains, 0.0)

    def leaf_values(
        self, sums: Whole, *, scale: FixedPoint, factor: np.float32
    ) -> NDArray[np.float32]:
        """Give the values of leaves, as XGBoost rounds them.

        Parameters
        ----------
        sums : int64 array of shape (leaves, 2)
            Gradient and hessian sums.
        scale : FixedPoint
            The scale of the sums.
        factor : float32
            Learning rate, divided by the number of trees that are averaged.

        Returns
        -------
        float32 array of shape (leaves,)
        """
        gradient, hessian = scale.decode(sums).T
        values: NDArray[np.float32] = self.weights(gradient, hessian).astype(np.float32) * factor
        return values

    def can_split(self, sums: Whole, *, scale: FixedPoint) -> NDArray[np.bool_]:
        """Whether nodes, sums of shape (nodes, 2), have hessian enough for two children."""
        hessian = scale.decode(sums[:, 1])
        enough: NDArray[np.bool_] = (hessian > 0.0) & (hessian >= 2.0 * self.min_child_weight)
        return enough

    def _shrunk(self, gradient: Floats) -> Floats:
        if self.reg_alpha == 0.0:
            return gradient
        return np.sign(gradient) * np.maximum(np.abs(gradient) - self.reg_alpha, 0.0)


@dataclass(frozen=True, eq=False)
class BestSplits:
    """The best split of each node, good or bad; arrays of shape (nodes,), but `left`.

    Parameters
    ----------
    node : int64
        Position of the node among those asked for.
    valid : bool
        Whether the node splits at all; if not, the rest says nothing.
    column : int64
        Position among the columns of the histograms.
    edge : int64
        Bins up to this one go left.
    default_left : int64
        1 where missing values go left.
    gain : float64
        XGBoost's loss change.
    left : int64 of shape (nodes, 2)
        Sums of the left child.
    """

    node: Whole
    valid: NDArray[np.bool_]
    column: Whole
    edge: Whole
    default_left: Whole
    gain: Floats
    left: Whole

    def only_valid(self) -> BestSplits:
        """Keep the nodes that split."""
        names = [item.name for item in fields(self)]
        return BestSplits(*(getattr(self, name)[self.valid] for name in names))


def best_splits(
    histograms: Whole, widths: Whole, *, penalties: Penalties, scale: FixedPoint
) -> BestSplits:
    """Find the best split of every node among all columns, edges and default directions.

    Of equal gains the lowest column wins, then missing values to the right, then the lowest edge:
    the order in which XGBoost looks. So they go right wherever a node has none.

    Parameters
    ----------
    histograms : int64 array of shape (nodes, slots, 2)
        Gradient and hessian sums; the last slot of each column holds its missing values.
    widths : int64 array of shape (columns,)
        Slots of each column.
    penalties : Penalties
        What speaks against a split.
    scale : FixedPoint
        The scale of the sums.
    """
    starts = range(0, max(len(histograms), 1), _NODES_AT_ONCE)
    parts = [_best_of_some(histograms, k, widths, penalties, scale) for k in starts]
    names = [item.name for item in fields(BestSplits)]
    return BestSplits(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _best_of_some(
    histograms: Whole, start: int, widths: Whole, penalties: Penalties, scale: FixedPoint
) -> BestSplits:
    sums = np.moveaxis(histograms[start : start + _NODES_AT_ONCE], 2, 0)
    edges = _Edges.of(widths)
    missing = sums[:, :, edges.missing]
    # Where no node misses a value of a column, both directions are one.
    missed = np.flatnonzero((missing != 0).any(axis=(0, 1)))
    # Sums below 2**53 are exact as float64, and so are sums of them.
    known = _known_sums(scale.decode(sums), edges)
    total = scale.decode(sums[:, :, : widths[0]].sum(axis=2))
    right, right_gain = _best_edge(known, total, penalties)
    left, left_gain = _best_edge(
        known[:, :, missed] + scale.decode(missing[:, :, missed]), total, penalties
    )
    left = missed[left] if len(missed) else right
    first = edges.column[left] < edges.column[right]
    to_left = (left_gain > right_gain) | ((left_gain == right_gain) & first)
    edge = np.where(to_left, left, right)
    gain = np.where(to_left, left_gain, right_gain) - penalties.gains(*total)
    node = np.arange(len(edge))
    lost = np.where(to_left, missing[:, node, edge], 0)
    return BestSplits(
        node=node + start,
        valid=(gain > LEAST_GAIN) & (gain >= penalties.gamma),
        column=edges.column[edge],
        edge=(edges.slot - edges.first)[edge],
        default_left=to_left.astype(np.int64),
        gain=gain,
        left=(scale.encode(known[:, node, edge]) + lost).T,
    )


@dataclass(frozen=True, eq=False)
class _Edges:
    """Every edge of every column, the one behind the last value included: shape (edges,).

    `slot` is the last that goes left, `first` and `missing` are slots of the edge's column.
    """

    column: Whole
    slot: Whole
    first: Whole
    missing: Whole

    @classmethod
    def of(cls, widths: Whole) -> _Edges:
        column = np.repeat(np.arange(len(widths)), widths - 1)
        end = np.cumsum(widths)
        # A slot of each column before holds missing values, where nothing is parted.
        slot = np.arange(len(column)) + column
        return cls(column, slot, (end - widths)[column], (end - 1)[column])


def _known_sums(sums: Floats, edges: _Edges) -> Floats:
    """Sum up the known values left of each edge, shape (2, nodes, edges)."""
    before = np.zeros((*sums.shape[:2], sums.shape[2] + 1))
    np.cumsum(sums, axis=2, out=before[:, :, 1:])
    known: Floats = before[:, :, edges.slot + 1] - before[:, :, edges.first]
    return known


def _best_edge(left: Floats, total: Floats, penalties: Penalties) -> tuple[Whole, Floats]:
    """Find the first of the best edges, and what its children gain; both of shape (nodes,).

    `left` are sums of the left child, shape (2, nodes, edges), `total` of the node, (2, nodes).
    """
    nodes, edges = left.shape[1:]
    if edges == 0:
        return np.zeros(nodes, dtype=np.int64), np.full(nodes, -np.inf)
    right = total[:, :, None] - left
    least = max(penalties.min_child_weight, np.finfo(np.float64).tiny)
    light = (left[1] < least) | (right[1] < least)
    gains = penalties.gains(*left) + penalties.gains(*right)
    gains[light] = -np.inf
    best = gains.argmax(axis=1)
    return best, gains[np.arange(nodes), best]
