"""The loops over rows, compiled: sums by bin, rows parted by splits, margins, sums by leaf.

Everything here is plain Python on arrays, compiled by Numba on first use: its import takes half a
second, which a server that only adds up never needs. Uncompiled the functions give the same.
Sums are of integers; so in which order rows come is no matter.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glean.learning.row_sample import FIRST, GOLDEN, SECOND

Bytes = NDArray[np.uint8]
Rows = NDArray[np.int32]
Whole = NDArray[np.int64]
Unsigned = NDArray[np.uint64]
NodeNumbers = NDArray[np.uint32]
Singles = NDArray[np.float32]
Floats = NDArray[np.float64]

COLUMN_BITS, BIN_BITS = 14, 9
"""Of a packed split: its column, and each of the two bins in it that it compares with."""

_BLOCK = 256
"""Rows that go through all trees together: their bins fit into the fastest cache."""

_COLUMN, _BIN = np.uint64((1 << COLUMN_BITS) - 1), np.uint64((1 << BIN_BITS) - 1)
_COLUMN_BITS, _BIN_BITS = np.uint64(COLUMN_BITS), np.uint64(BIN_BITS)
_11, _27, _30, _31 = np.uint64(11), np.uint64(27), np.uint64(30), np.uint64(31)


@dataclass(frozen=True)
class Kernels:
    """The loops, compiled; parameters are those of the functions below."""

    sum_by_bin: Callable[..., None]
    part_rows: Callable[..., None]
    find_leaves: Callable[..., None]
    add_leaves: Callable[..., None]
    sum_by_leaf: Callable[..., None]
    draw_rows: Callable[..., int]
    round_pairs: Callable[..., None]
    pairs_fit: Callable[..., bool]


def kernels_at_hand() -> Kernels | None:
    """Give the compiled loops where this process has use for Numba anyhow; else None."""
    return kernels() if "numba" in sys.modules else None


@cache
def kernels() -> Kernels:
    """Compile the loops, or fetch them from Numba's cache on disk; without Numba, NumPy's."""
    if find_spec("numba") is None:
        from glean.learning import numpy_kernels as loops_of_numpy

        return Kernels(*(getattr(loops_of_numpy, item.name) for item in fields(Kernels)))
    loops = (
        *(_sum_by_bin, _part_rows, _find_leaves, _add_leaves, _sum_by_leaf),
        *(_draw_rows, _round_pairs, _pairs_fit),
    )
    return Kernels(*(_compiled(loop) for loop in loops))


def _compiled(loop: Callable[..., Any]) -> Callable[..., Any]:
    import numba

    from glean.learning.kernel_cache import LOCATORS

    numba.config.CACHE_LOCATOR_CLASSES = LOCATORS  # type: ignore[attr-defined]
    compiled: Callable[..., Any]
    try:
        compiled = numba.njit(loop, cache=True, nogil=True)
    except RuntimeError:
        # No folder to keep compiled code in: a second is lost in every process.
        compiled = numba.njit(loop, nogil=True)
    return compiled


def _sum_by_bin(
    bins: Bytes,
    gradients: Whole,
    rows: Rows,
    begin: Whole,
    end: Whole,
    columns: Unsigned,
    starts: Unsigned,
    out: Whole,
) -> None:
    """Add gradients, shape (rows, 2), up by bin for nodes whose rows are `rows[begin:end]`.

    `starts` are the first slots of `columns`; `out` is of shape (nodes, slots, 2), zeros. Both are
    unsigned, since Numba looks at every other index whether it counts from the end.
    """
    for node in range(len(begin)):
        sums = out[node]
        last = end[node] - 1
        # Two rows at a time: while one waits for memory the other is added up.
        for k in range(begin[node], end[node], 2):
            row, other = rows[k], rows[min(k + 1, last)]
            gradient, hessian = gradients[row]
            other_gradient, other_hessian = gradients[other]
            if k == last:
                other_gradient, other_hessian = 0, 0
            for j in range(len(columns)):
                column = columns[j]
                slot = starts[j] + bins[row, column]
                sums[slot, 0] += gradient
                sums[slot, 1] += hessian
                slot = starts[j] + bins[other, column]
                sums[slot, 0] += other_gradient
                sums[slot, 1] += other_hessian


def _part_rows(
    bins: Bytes,
    rows: Rows,
    begin: Whole,
    end: Whole,
    first: int,
    node: Whole,
    column: Whole,
    edge: Whole,
    default_left: Whole,
    missing: Whole,
) -> None:
    """Make the splits from `first` on: rows of a node that go left come before those that don't.

    `begin` and `end`, shape (nodes,), bound each node's rows; those of new nodes are
    filled in. `missing` is the bin of missing values by column. Within a node rows keep their
    order.
    """
    spare = np.empty_like(rows)
    for split in range(first, len(node)):
        a, b = begin[node[split]], end[node[split]]
        c = column[split]
        left, right = a, 0
        last, lost = edge[split], missing[c] if default_left[split] else -1
        for k in range(a, b):
            row = rows[k]
            place = bins[row, c]
            # The bin of missing values lies above every edge.
            goes_left = (place <= last) | (place == lost)
            # Written to both sides and counted on one: cheaper than a branch that no one foresees.
            rows[left] = row
            spare[right] = row
            left += goes_left
            right += not goes_left
        rows[left:b] = spare[:right]
        begin[2 * split + 1], end[2 * split + 1] = a, left
        begin[2 * split + 2], end[2 * split + 2] = left, b


def _find_leaves(
    bins: Bytes, roots: NodeNumbers, depth: int, splits: Unsigned, leaves: NodeNumbers
) -> None:
    """Write the node in which each row ends in each tree to `leaves`, shape (trees, rows).

    `splits` are those of `BinnedTrees`. A leaf leads to itself, so that all rows take `depth` steps
    and nothing hangs on a guess of which way the next one goes.
    """
    at = np.empty(_BLOCK, dtype=np.uint32)
    for start in range(0, len(bins), _BLOCK):
        block = bins[start : start + _BLOCK]
        for tree in range(len(roots)):
            at[:] = roots[tree]
            for _ in range(depth):
                for row in range(len(block)):
                    split = splits[at[row]]
                    place = block[row, split & _COLUMN]
                    split >>= _COLUMN_BITS
                    first = place < (split & _BIN)
                    split >>= _BIN_BITS
                    goes_right = not (first | (place == (split & _BIN)))
                    at[row] = np.uint32(split >> _BIN_BITS) + np.uint32(goes_right)
            leaves[tree, start : start + len(block)] = at[: len(block)]


def _add_leaves(leaves: NodeNumbers, value: Singles, margin: Singles) -> None:
    """Add to each row's margin the leaves that it reached, tree by tree in float32."""
    for tree in range(len(leaves)):
        for row in range(len(margin)):
            margin[row] += value[leaves[tree, row]]


def _sum_by_leaf(leaves: NodeNumbers, gradients: Whole, sums: Whole) -> None:
    """Add gradients, shape (rows, 2), up by the node that rows reached; `sums` (nodes, 2)."""
    for tree in range(len(leaves)):
        for row in range(len(gradients)):
            leaf = leaves[tree, row]
            sums[leaf, 0] += gradients[row, 0]
            sums[leaf, 1] += gradients[row, 1]


def _draw_rows(
    keys: Unsigned, seed: np.uint64, share: float, weighs: NDArray[np.bool_], rows: Rows
) -> int:
    """Write the positions of rows that weigh something and are drawn to `rows`; how many.

    As `row_sample.sampled` draws, by a seed that `seed_number` has scrambled.
    """
    count = 0
    for row in range(len(keys)):
        z = (keys[row] ^ seed) + GOLDEN
        z = (z ^ (z >> _30)) * FIRST
        z = (z ^ (z >> _27)) * SECOND
        z = z ^ (z >> _31)
        # Written in any case and counted if drawn: cheaper than a branch that no one foresees.
        rows[count] = row
        count += weighs[row] & (np.float64(z >> _11) * 2.0**-53 < share)
    return count


def _round_pairs(
    gradient: Floats, hessian: Floats, weight: Floats, unit: float, largest: float, out: Whole
) -> None:
    """Round weighted gradients and hessians to a scale, `out` of shape (rows, 2), cut to `largest`.

    What is no number counts as zero.
    """
    for row in range(len(weight)):
        for column in range(2):
            found = (hessian[row] if column else gradient[row]) * weight[row] * unit
            if not -largest <= found <= largest:
                found = 0.0 if found != found else (largest if found > 0.0 else -largest)
            out[row, column] = np.int64(np.rint(found))


def _pairs_fit(sums: Whole, unit: float, most: float, slack: float, line: Floats) -> bool:
    """Whether each sum, shape (n, 2), has a hessian from 0 to `most` and a gradient that it allows.

    `line` has slope and offset of the lowest gradient and of the highest; both by `slack` wider.
    """
    fits = True
    for k in range(len(sums)):
        gradient, hessian = sums[k, 0] / unit, sums[k, 1] / unit
        fits &= (hessian >= 0.0) & (hessian <= most)
        wider = hessian + slack
        fits &= gradient >= line[0] * wider + line[1] - slack
        fits &= gradient <= line[2] * wider + line[3] + slack
    return fits
