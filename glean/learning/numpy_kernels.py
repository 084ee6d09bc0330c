"""The loops over rows without Numba, by NumPy: slower, the same numbers, 200 MB less to install.

Parameters are those of the functions of the same names in `kernels.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glean.learning.row_sample import drawn_by

Array = NDArray[Any]

_COLUMN_BITS, _BIN_BITS = 14, 9


def sum_by_bin(
    bins: Array,
    gradients: Array,
    rows: Array,
    begin: Array,
    end: Array,
    columns: Array,
    starts: Array,
    out: Array,
) -> None:
    """Add gradients up by bin for nodes whose rows are `rows[begin:end]`."""
    for sums, first, last in zip(out, begin, end, strict=True):
        mine = rows[first:last]
        added = gradients[mine]
        for column, start in zip(columns, starts, strict=True):
            np.add.at(sums, int(start) + bins[mine, int(column)].astype(np.int64), added)


def part_rows(
    bins: Array,
    rows: Array,
    begin: Array,
    end: Array,
    first: int,
    node: Array,
    column: Array,
    edge: Array,
    default_left: Array,
    missing: Array,
) -> None:
    """Make the splits from `first` on: rows of a node that go left come before those that don't."""
    for split in range(first, len(node)):
        a, b = begin[node[split]], end[node[split]]
        place = bins[rows[a:b], column[split]].astype(np.int64)
        goes_left = place <= edge[split]
        if default_left[split]:
            goes_left |= place == missing[column[split]]
        mine = rows[a:b].copy()
        middle = a + np.count_nonzero(goes_left)
        rows[a:middle], rows[middle:b] = mine[goes_left], mine[~goes_left]
        begin[2 * split + 1], end[2 * split + 1] = a, middle
        begin[2 * split + 2], end[2 * split + 2] = middle, b


def find_leaves(bins: Array, roots: Array, depth: int, splits: Array, leaves: Array) -> None:
    """Write the node in which each row ends in each tree to `leaves`, shape (trees, rows)."""
    column = (splits & np.uint64((1 << _COLUMN_BITS) - 1)).astype(np.int64)
    bin_mask = np.uint64((1 << _BIN_BITS) - 1)
    goes_left = ((splits >> np.uint64(_COLUMN_BITS)) & bin_mask).astype(np.int64)
    lost = ((splits >> np.uint64(_COLUMN_BITS + _BIN_BITS)) & bin_mask).astype(np.int64)
    child = (splits >> np.uint64(_COLUMN_BITS + 2 * _BIN_BITS)).astype(np.int64)
    every_row = np.arange(len(bins))
    for tree, root in enumerate(roots):
        at = np.full(len(bins), root, dtype=np.int64)
        for _ in range(depth):
            place = bins[every_row, column[at]].astype(np.int64)
            stays_left = (place < goes_left[at]) | (place == lost[at])
            at = child[at] + np.where(stays_left, 0, 1)
        leaves[tree] = at


def add_leaves(leaves: Array, value: Array, margin: Array) -> None:
    """Add to each row's margin the leaves that it reached, tree by tree in float32."""
    for reached in leaves:
        margin += value[reached]


def sum_by_leaf(leaves: Array, gradients: Array, sums: Array) -> None:
    """Add gradients up by the node that rows reached; `sums` (nodes, 2)."""
    for reached in leaves:
        np.add.at(sums, reached, gradients)


def draw_rows(keys: Array, seed: np.uint64, share: float, weighs: Array, rows: Array) -> int:
    """Write the positions of rows that weigh something and are drawn to `rows`; how many."""
    drawn = np.flatnonzero(drawn_by(keys, seed, share=share) & weighs)
    rows[: len(drawn)] = drawn
    return len(drawn)


def round_pairs(
    gradient: Array, hessian: Array, weight: Array, unit: float, largest: float, out: Array
) -> None:
    """Round weighted gradients and hessians to a scale, `out` of shape (rows, 2)."""
    for column, values in enumerate((gradient, hessian)):
        with np.errstate(over="ignore", invalid="ignore"):
            found = np.nan_to_num(np.clip(values * weight * unit, -largest, largest))
        out[:, column] = np.rint(found).astype(np.int64)


def pairs_fit(sums: Array, unit: float, most: float, slack: float, line: Array) -> bool:
    """Whether each sum, shape (n, 2), has a hessian from 0 to `most` and a gradient it allows."""
    gradient, hessian = sums[:, 0] / unit, sums[:, 1] / unit
    fits = (hessian >= 0.0) & (hessian <= most)
    wider = hessian + slack
    fits &= gradient >= line[0] * wider + line[1] - slack
    fits &= gradient <= line[2] * wider + line[3] + slack
    return bool(fits.all())
