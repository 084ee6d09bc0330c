"""What opened sums can be: bounds that hold for the sum of any rows, whoever holds them.

A masked vector can be anything, and only the sum is ever seen. What no rows can add up to is
refused here; a sum that rows could have, but those of its senders don't, passes. The bounds follow
from what is public: the loss, how rows are clipped and rounded, and what all weigh together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from glean.aggregation import fedavg
from glean.aggregation.count_bounds import FAR, expect
from glean.aggregation.oblivious import decoded
from glean.errors import ImpossibleSumError, ModelError
from glean.learning.day_sums import DAY_WEIGHT, LARGEST_RESIDUAL, UNIT
from glean.learning.fixed_point import FixedPoint
from glean.learning.forest import Forest
from glean.learning.kernels import kernels_at_hand
from glean.learning.loss import Loss
from glean.learning.model_weights import Weights
from glean.learning.oblivious_trees import DEPTH
from glean.learning.tree import NO_NODE

Encoded = NDArray[np.int64]
Floats = NDArray[np.float64]

LARGEST_MOVE = 10.0
"""What a weight may move by in one round of `fedavg`. Inputs are scaled, so that weights are about
one; `python -m benchmarks.setbacks` measures how far those of honest bakeries move."""

TOLD_WEIGHT = 1.06
"""What a bakery may tell of its weight in `fedavg`, of what it is: two digits are told."""

MOST_DAYS = 36_525
"""A century of training days: what a bakery weighs at most where no number of rows is opened."""

_BITS_OF_ROWS = 1e-3
"""What weights may add up to beyond the rows declared, as their unit is rounded."""


@dataclass(frozen=True)
class SumBounds:
    """Bounds of the sums of one federation.

    Parameters
    ----------
    loss : Loss
        What gradients and hessians are of.
    rows : int
        Training rows that all have declared together; weights are counted in their mean.
    times : int
        How many times as much may be in a sum: 1, and 1 more for each contributor that wasn't
        there when rows were declared, as one alone may have as many.
    """

    loss: Loss
    rows: int
    times: int = 1

    @property
    def weight(self) -> float:
        """What all rows of a sum weigh at most."""
        return self.rows * self.times * (1.0 + _BITS_OF_ROWS)

    @cached_property
    def _scale(self) -> FixedPoint:
        return FixedPoint.for_rows(self.rows)

    @cached_property
    def _rounding(self) -> float:
        """What rounding moves a sum by at most."""
        return float(self._scale.decode(np.array(self.rows * self.times / 2)))

    def check_pairs(self, sums: Encoded) -> None:
        """Check gradient and hessian sums, shape (..., 2), on the scale of `FixedPoint`.

        Each hessian is between 0 and what all rows allow; each gradient within the bound that
        its hessian sets (`Loss.gradient_bounds`). Every row may be rounded by half a unit.

        Raises
        ------
        ImpossibleSumError
            Says which sum.
        """
        rounding = self._rounding
        most = self.loss.largest_hessian * self.weight + rounding
        if self._fit(sums, most):
            return
        pairs = self._scale.decode(sums)
        gradient, hessian = pairs[..., 0], pairs[..., 1]
        fits = (hessian >= 0) & (hessian <= most)
        expect(fits, hessian, f"a hessian from 0 to {most:.6g}")
        low, high = self.loss.gradient_bounds(hessian + rounding, self.weight)
        fits = (gradient >= low - rounding) & (gradient <= high + rounding)
        expect(fits, gradient, "a gradient that the hessian allows")

    def _fit(self, sums: Encoded, most: float) -> bool:
        """Whether all pairs fit, by a compiled loop; False too where there is none at hand.

        Without masks every bakery's vector is looked at.
        """
        loops = kernels_at_hand()
        if loops is None:
            return False
        pairs = sums.reshape(-1, 2)
        pairs.flags.writeable = False  # some are anyhow, and each kind would be compiled by itself
        return loops.pairs_fit(pairs, self._scale.unit, most, self._rounding, self._line)

    @cached_property
    def _line(self) -> Floats:
        return np.array(self.loss.gradient_line(self.weight))

    def check_leaf_sums(self, structures: Forest, sums: Encoded) -> None:
        """Check sums by leaf, shape (2 * leaves,), tree by tree.

        Raises
        ------
        ImpossibleSumError
            As `check_pairs`; or two trees differ in all their leaves together, though every row is
            in one leaf of each.
        """
        pairs = sums.reshape(-1, 2)
        self.check_pairs(pairs)
        self.check_pairs(_whole(structures, pairs))

    def check_leaf_gradients(self, structures: Forest, gradients: Encoded) -> None:
        """Check gradient sums by leaf that come without hessians, shape (leaves,), tree by tree.

        Hessians that serve again aren't those of the model that the gradients are of. So each is
        within the bound that the largest hessian sets which all rows together can have.

        Raises
        ------
        ImpossibleSumError
            As `check_leaf_sums`.
        """
        most = self.loss.largest_hessian * self.weight
        found = self._scale.decode(np.append(gradients, _whole(structures, gradients)))
        rounding = self._rounding
        low, high = self.loss.gradient_bounds(np.full_like(found, most), self.weight)
        fits = (found >= low - rounding) & (found <= high + rounding)
        expect(fits, found, "a gradient that all rows allow")

    def check_day_hessians(self, sums: Encoded, *, noise: float) -> None:
        """Check weights by leaf of random trees, shape (trees * leaves,).

        Parameters
        ----------
        sums : int64 array
            As `DaySums.hessians` has them.
        noise : float
            Standard deviation of the noise in each; 0 without.

        Raises
        ------
        ImpossibleSumError
            A weight is negative, or beyond what all rows allow, or two trees differ in all their
            leaves together, by more than noise.
        """
        weight, far = decoded(sums), FAR * noise
        most = float(self.rows * self.times) + far
        expect((weight >= -far) & (weight <= most), weight, f"a weight from 0 to {most:.6g}")
        whole = weight.reshape(-1, 2**DEPTH).sum(axis=1)
        off = np.abs(whole - np.median(whole))
        expect(off <= 2.0 * far * 2 ** (DEPTH / 2), whole, "trees of one weight")

    def check_day_gradients(
        self, gradients: Encoded, hessians: Floats, *, noise: float, hessian_noise: float
    ) -> None:
        """Check clipped gradients by leaf of a round's random trees.

        Parameters
        ----------
        gradients : int64 array of shape (leaves,)
            As `DaySums.gradients` has them.
        hessians : float64 array of shape (leaves,)
            Weights of the same leaves.
        noise, hessian_noise : float
            Standard deviation of the noise in each.

        Raises
        ------
        ImpossibleSumError
            One is beyond what residuals of `LARGEST_RESIDUAL` come to, by more than noise.
        """
        joined = float(self.rows * (self.times - 1))
        weight = np.maximum(hessians, 0.0) + FAR * hessian_noise + joined
        most = LARGEST_RESIDUAL * weight + FAR * noise + self.rows * self.times / UNIT
        found = decoded(gradients)
        expect(np.abs(found) <= most, found, "a gradient that the leaf's weight allows")

    def check_weights(self, total: Encoded, *, like: Weights) -> None:
        """Check a sum of weights times the bakeries' own weight, and of that (`fedavg.encoded`).

        Nothing but zeros, as of bakeries that train on nothing, passes.

        Raises
        ------
        ImpossibleSumError
            All weigh more than their rows, or a mean is beyond what is sane, or moved by more than
            `LARGEST_MOVE`.
        """
        if not total.any():
            return
        _check_move(fedavg.mean, total, like=like, rows=self.rows)
        weight = fedavg.total_weight(total, rows=self.rows)
        if weight > (most := self.weight * TOLD_WEIGHT):
            raise ImpossibleSumError(
                f"found a training weight of {weight:.6g} mean rows; wanted at most {most:.6g}"
            )

    def check_weight_steps(self, total: Encoded, *, like: Weights) -> None:
        """Check a sum of what training changed in weights (`fedavg.encoded_steps`).

        Raises
        ------
        ImpossibleSumError
            The step leads beyond what is sane, or moves a weight by more than `LARGEST_MOVE`.
        """
        _check_move(fedavg.stepped, total, like=like, rows=self.rows)


def without_rows(loss: Loss, contributors: int) -> SumBounds:
    """Give bounds where no number of rows is opened: by days, which weigh `DAY_WEIGHT` at most."""
    return SumBounds(loss, int(MOST_DAYS * DAY_WEIGHT), contributors)


def _whole(structures: Forest, sums: Encoded) -> Encoded:
    """Add up the leaves of each tree, shape (trees, ...).

    Raises
    ------
    ImpossibleSumError
        They differ, though every row is in one leaf of each.
    """
    leaves = [int((tree.left == NO_NODE).sum()) for tree in structures.trees]
    whole: Encoded = np.add.reduceat(sums, np.cumsum([0, *leaves[:-1]]), axis=0)
    if (whole != whole[0]).any():
        raise ImpossibleSumError(
            "the leaves of one tree add up to another sum than those of the next; wanted the "
            "same rows in all trees"
        )
    return whole


def _check_move(made: Callable[..., Weights], total: Encoded, *, like: Weights, rows: int) -> None:
    try:
        new = made(total, like=like, rows=rows).arrays
    except ModelError as error:
        raise ImpossibleSumError(str(error)) from error
    moved = max(
        float(np.abs(new[name] - old).max(initial=0.0)) for name, old in like.arrays.items()
    )
    if moved > LARGEST_MOVE:
        raise ImpossibleSumError(
            f"found a weight that moved by {moved:.3g} in a round; wanted {LARGEST_MOVE:g} at most"
        )
