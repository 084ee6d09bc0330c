"""Regression trees as NumPy arrays, and the check that they are trees at all.

A tree is five arrays with one entry per node, node 0 being the root. XGBoost trusts such arrays
blindly, so nothing reaches it that hasn't passed `Nodes.checked`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from glean.errors import ModelError

T = TypeVar("T", bound=np.generic)
Whole = NDArray[np.int32]
Singles = NDArray[np.float32]

DEEPEST_TREE = 12
"""The largest `max-depth`; so a tree has at most 2**13 - 1 nodes."""

LARGEST_LEAF = 1e6
"""Leaves beyond this are refused: on a scale where 1 is a product's usual day they can only be
damage, and sums of them could overflow. Thresholds are of any size, as covariates are."""

NO_NODE = -1


@dataclass(frozen=True, eq=False)
class Tree:
    """One tree; arrays of shape (nodes,).

    Parameters
    ----------
    left, right : int32
        Children of a node, -1 at a leaf.
    split_feature : int32
        Column that a node splits on, 0 at a leaf.
    value : float32
        Threshold of a split (rows below it go left) or the value of a leaf.
    default_left : uint8
        1 where a missing value goes left.
    """

    left: Whole
    right: Whole
    split_feature: Whole
    value: Singles
    default_left: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.left)

    def scaled(self, factor: float) -> Tree:
        """Multiply every leaf by `factor`."""
        leaf = self.left == NO_NODE
        scaled = (self.value.astype(np.float64) * factor).astype(np.float32)
        return replace(self, value=np.where(leaf, scaled, self.value))


@dataclass(frozen=True, eq=False)
class Nodes:
    """The nodes of many trees one after the other; the arrays of `Tree`, and where each starts.

    Parameters
    ----------
    starts : int64 array of shape (trees + 1,)
        Position of each tree's root, and the number of nodes.
    left, right, split_feature, value, default_left : arrays of shape (nodes,)
        As in `Tree`; children are counted from their own tree's root.
    """

    starts: NDArray[np.int64]
    left: Whole
    right: Whole
    split_feature: Whole
    value: Singles
    default_left: NDArray[np.uint8]

    @classmethod
    def of(cls, trees: Sequence[Tree]) -> Nodes:
        """Join trees whose arrays have equal lengths, in any byte order."""
        sizes = [0, *(len(tree) for tree in trees)]
        return cls(
            starts=np.cumsum(sizes, dtype=np.int64),
            left=_joined([t.left for t in trees], np.int32),
            right=_joined([t.right for t in trees], np.int32),
            split_feature=_joined([t.split_feature for t in trees], np.int32),
            value=_joined([t.value for t in trees], np.float32),
            default_left=_joined([t.default_left for t in trees], np.uint8),
        )

    @property
    def bounds(self) -> list[tuple[int, int]]:
        """First and last-plus-one node of each tree."""
        starts = self.starts.tolist()
        return list(pairwise(starts))

    def trees(self) -> tuple[Tree, ...]:
        """Cut the nodes into trees that share their memory."""
        return tuple(
            Tree(
                self.left[a:b],
                self.right[a:b],
                self.split_feature[a:b],
                self.value[a:b],
                self.default_left[a:b],
            )
            for a, b in self.bounds
        )

    @cached_property
    def tree_numbers(self) -> NDArray[np.int64]:
        """Tree that each node belongs to."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    @property
    def parents(self) -> Whole:
        """Parent of each node within its tree, as XGBoost writes it: 2**31 - 1 at a root."""
        parents = np.full(len(self.left), np.iinfo(np.int32).max, dtype=np.int32)
        inner = np.flatnonzero(self.left != NO_NODE)
        origin = self.starts[self.tree_numbers[inner]]
        for children in (self.left, self.right):
            parents[origin + children[inner]] = inner - origin
        return parents

    def checked(self, columns: int) -> Nodes:
        """Return the nodes, with default direction and column set to 0 at leaves.

        Parameters
        ----------
        columns : int
            Number of columns that a split may be on.

        Raises
        ------
        ModelError
            Naming the first tree that isn't one: a child out of range, a node reached twice or
            never, a tree too deep, a column that doesn't exist, a value that isn't finite,
            a leaf beyond `LARGEST_LEAF`, a direction that is neither 0 nor 1.
        """
        if (np.diff(self.starts) == 0).any():
            raise ModelError("damaged model: a tree without nodes; wanted at least a root")
        leaf = self.left == NO_NODE
        self._refuse(leaf != (self.right == NO_NODE), "has a node with one child")
        inner = ~leaf
        self._check_links(inner)
        column = self.split_feature
        self._refuse(
            inner & ((column < 0) | (column >= columns)), f"splits beyond {columns} columns"
        )
        self._refuse(
            ~np.isfinite(self.value) | (leaf & (np.abs(self.value) > LARGEST_LEAF)),
            "has a value that isn't finite or sane",
        )
        self._refuse(self.default_left > 1, "has a direction that is neither 0 nor 1")
        return replace(
            self,
            split_feature=np.where(inner, column, 0).astype(np.int32),
            default_left=np.where(inner, self.default_left, 0).astype(np.uint8),
        )

    def _check_links(self, inner: NDArray[np.bool_]) -> None:
        """Each node but the root has one parent, and all are reached within the depth allowed."""
        size = np.diff(self.starts)[self.tree_numbers]
        for children in (self.left, self.right):
            self._refuse(inner & ((children < 1) | (children >= size)), "has a child out of range")
        origin = self.starts[self.tree_numbers]
        left, right = origin + self.left, origin + self.right
        linked = np.bincount(np.concatenate([left[inner], right[inner]]), minlength=len(inner))
        linked[self.starts[:-1]] += 1
        self._refuse(linked != 1, "has a node that is reached twice or never")
        reached = np.zeros(len(inner), dtype=np.bool_)
        level = self.starts[:-1]
        for _ in range(DEEPEST_TREE + 1):
            reached[level] = True
            level = level[inner[level]]
            level = np.concatenate([left[level], right[level]])
        self._refuse(~reached, f"is deeper than {DEEPEST_TREE} or goes in circles")

    def _refuse(self, bad: NDArray[np.bool_], why: str) -> None:
        if bad.any():
            tree = int(self.tree_numbers[int(np.argmax(bad))])
            raise ModelError(f"damaged model: tree {tree} {why}")


def _joined(parts: Sequence[NDArray[T]], kind: type[T]) -> NDArray[T]:
    if not parts:
        return np.empty(0, dtype=kind)
    return np.concatenate(parts).astype(kind, copy=False)
