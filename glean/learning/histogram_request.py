"""What the server asks every bakery to sum next: the trees so far, and which nodes it wants.

`HistogramGrower` makes a request, it travels as JSON, and `GradientHistograms` replies with one
flat vector. A request comes from outside, so it is read as strictly as a model.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glean.errors import ModelError
from glean.learning.bin_layout import BinLayout
from glean.learning.row_sample import MOST_SEED
from glean.learning.tree import DEEPEST_TREE

Whole = NDArray[np.int64]

MOST_TREES = 10_000
"""What the settings allow: 100 trees a round times 100 parallel ones."""

MOST_SUMS = 2**27
"""Numbers that a reply may hold (1 GiB): more is asked only by mistake or to do harm."""

_SPLIT_KEYS = ("node", "column", "edge", "default_left")
_TREE_KEYS = {"seed", "columns", "wanted", *_SPLIT_KEYS}


@dataclass(frozen=True, eq=False)
class Splits:
    """The splits of one tree in the order of their nodes; int64 arrays of shape (splits,).

    Nodes are numbered level by level and children in the order of their parents' numbers, as
    XGBoost does: the i-th split has the children 2 i + 1 and 2 i + 2.

    Parameters
    ----------
    node : int64
        Node that is split, ascending.
    column : int64
        Column of the matrix.
    edge : int64
        Bins up to this one go left.
    default_left : int64
        1 where missing values go left.
    """

    node: Whole
    column: Whole
    edge: Whole
    default_left: Whole

    @classmethod
    def none(cls) -> Splits:
        """Make the tree that is a root only."""
        return cls(*(np.empty(0, dtype=np.int64) for _ in _SPLIT_KEYS))

    def __len__(self) -> int:
        return len(self.node)

    @property
    def nodes(self) -> int:
        """Number of nodes, leaves included."""
        return 2 * len(self) + 1

    def plus(self, other: Splits) -> Splits:
        """Put further splits behind these."""
        return Splits(
            *(np.concatenate([getattr(s, k) for s in (self, other)]) for k in _SPLIT_KEYS)
        )

    def begin_with(self, other: Splits) -> bool:
        """Whether these are `other` and perhaps further ones."""
        return all(map(bytes.startswith, self._written, other._written))

    @cached_property
    def _written(self) -> tuple[bytes, ...]:
        """As bytes, once for all bakeries of a process: NumPy's comparison takes long to begin."""
        return tuple(getattr(self, k).tobytes() for k in _SPLIT_KEYS)

    def depths(self) -> Whole:
        """Depth of every node, shape (nodes,), the root's being 0."""
        depth = np.zeros(self.nodes, dtype=np.int64)
        for split, node in enumerate(self.node.tolist()):
            depth[2 * split + 1 : 2 * split + 3] = depth[node] + 1
        return depth


@dataclass(frozen=True, eq=False)
class Places:
    """Where the columns of a request are in a node's sums.

    Parameters
    ----------
    columns, starts : uint64 arrays
        Each column, and its first slot.
    slots : int
        Slots of all of them.
    """

    columns: NDArray[np.uint64]
    starts: NDArray[np.uint64]
    slots: int

    @classmethod
    def of(cls, columns: Whole, layout: BinLayout) -> Places:
        """Put columns behind each other."""
        ends = np.cumsum(layout.widths[columns])
        starts = ends - layout.widths[columns]
        return cls(columns.astype(np.uint64), starts.astype(np.uint64), int(ends[-1]))


@dataclass(frozen=True, eq=False)
class TreeRequest:
    """What is asked of one tree.

    Parameters
    ----------
    seed : int
        Seed of its row sample.
    columns : int64 array
        Columns whose slots are wanted, ascending.
    splits : Splits
        The tree so far.
    wanted : int64 array
        Nodes whose histograms are wanted, ascending.
    """

    seed: int
    columns: Whole
    splits: Splits
    wanted: Whole

    def shape(self, layout: BinLayout) -> tuple[int, int, int]:
        """Shape of the tree's part of the sums: wanted nodes, slots, gradient and hessian."""
        return len(self.wanted), self.places(layout).slots, 2

    def places(self, layout: BinLayout) -> Places:
        """Say where its columns are in a node's sums; once for all bakeries of a process."""
        known: tuple[BinLayout, Places] | None = vars(self).get("_places")
        if known is None or known[0] != layout:
            known = vars(self)["_places"] = layout, Places.of(self.columns, layout)
        return known[1]


@dataclass(frozen=True, eq=False)
class HistogramRequest:
    """What is asked of a group of trees.

    Parameters
    ----------
    subsample : float
        Share of the rows that each tree sees.
    trees : tuple of TreeRequest
        All trees of the group; one that has grown up wants nothing.
    """

    subsample: float
    trees: tuple[TreeRequest, ...]

    def size(self, layout: BinLayout) -> int:
        """Length of the sums."""
        return sum(prod(tree.shape(layout)) for tree in self.trees)

    def parts(self, sums: Whole, layout: BinLayout) -> list[Whole]:
        """Cut the sums, shape (size,), into each tree's part, of `TreeRequest.shape`."""
        return _cut(sums, [tree.shape(layout) for tree in self.trees])

    def blank(self, layout: BinLayout) -> tuple[Whole, list[Whole]]:
        """Make sums of zeros, and their parts to fill in."""
        shapes = [tree.shape(layout) for tree in self.trees]
        sums = np.zeros(sum(map(prod, shapes)), dtype=np.int64)
        return sums, _cut(sums, shapes)

    def to_json(self) -> str:
        """Write the request as text."""
        return json.dumps(
            {"subsample": self.subsample, "trees": [_tree_members(tree) for tree in self.trees]},
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str, *, layout: BinLayout) -> HistogramRequest:
        """Read `to_json`'s text.

        Raises
        ------
        ModelError
            It isn't a request, or one that doesn't fit the layout: a column or an edge that there
            isn't, a node split twice or before it is there, a tree too deep, too many sums.
        """
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"the server's histogram request can't be read: {error}") from error
        _expect(isinstance(found, dict) and found.keys() == {"subsample", "trees"}, "members")
        subsample, trees = found["subsample"], found["trees"]
        _expect(type(subsample) in (int, float) and 0.0 < subsample <= 1.0, "a share of rows")
        _expect(isinstance(trees, list) and 1 <= len(trees) <= MOST_TREES, "a list of trees")
        request = cls(float(subsample), tuple(_tree(tree, layout) for tree in trees))
        _expect(request.size(layout) <= MOST_SUMS, f"requests of at most {MOST_SUMS} sums")
        return request


def _cut(sums: Whole, shapes: list[tuple[int, int, int]]) -> list[Whole]:
    parts, start = [], 0
    for shape in shapes:
        end = start + prod(shape)
        parts.append(sums[start:end].reshape(shape))
        start = end
    return parts


def _tree_members(tree: TreeRequest) -> dict[str, Any]:
    splits = {key: getattr(tree.splits, key).tolist() for key in _SPLIT_KEYS}
    members = {"columns": tree.columns.tolist(), "wanted": tree.wanted.tolist()}
    return {"seed": tree.seed, **members, **splits}


def _tree(found: Any, layout: BinLayout) -> TreeRequest:
    _expect(isinstance(found, dict) and found.keys() == _TREE_KEYS, "a tree's members")
    seed = found["seed"]
    _expect(type(seed) is int and 0 <= seed <= MOST_SEED, "a seed")
    splits = _splits(found, layout)
    columns = _ascending(found["columns"], below=layout.columns)
    _expect(len(columns) > 0, "at least one column")
    return TreeRequest(seed, columns, splits, _ascending(found["wanted"], below=splits.nodes))


def _splits(found: dict[str, Any], layout: BinLayout) -> Splits:
    most = 2**DEEPEST_TREE
    node = _ascending(found["node"], below=2 * most)
    # The i-th split can only be of a node that the splits before it made.
    _expect(bool((node <= 2 * np.arange(len(node))).all()), "splits of nodes that are there")
    column = _numbers(found["column"], below=layout.columns, count=len(node))
    edge = _numbers(found["edge"], below=most, count=len(node))
    _expect(bool((edge <= layout.edge_counts[column]).all()), "edges that the columns have")
    default_left = _numbers(found["default_left"], below=2, count=len(node))
    splits = Splits(node, column, edge, default_left)
    _expect(int(splits.depths().max()) <= DEEPEST_TREE, f"at most {DEEPEST_TREE} levels")
    return splits


def _ascending(found: Any, *, below: int) -> Whole:
    numbers = _numbers(found, below=below)
    _expect(bool((np.diff(numbers) > 0).all()), "ascending numbers")
    return numbers


def _numbers(found: Any, *, below: int, count: int | None = None) -> Whole:
    """Check a list of whole numbers from 0 up."""
    _expect(isinstance(found, list) and len(found) <= 2 ** (DEEPEST_TREE + 1), "a list")
    _expect(all(type(v) is int and 0 <= v < below for v in found), f"numbers below {below}")
    _expect(count is None or len(found) == count, f"{count} numbers")
    return np.array(found, dtype=np.int64)


def _expect(fits: bool, wanted: str) -> None:
    if not fits:
        raise ModelError(f"the server's histogram request is damaged; wanted {wanted}")
