"""What counts and clipped scores can add up to: bounds that follow from how many send them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glean.aggregation.metric_sums import LARGEST
from glean.aggregation.oblivious import decoded
from glean.errors import ImpossibleSumError
from glean.learning.fixed_point import MOST_ROWS
from glean.learning.forest import Forest
from glean.learning.tree import NO_NODE, Nodes

Encoded = NDArray[np.int64]

FAR = 8.0
"""Deviations of its noise that a sum may be beyond its bounds; by chance once in 10**15."""


def check_totals(total: Encoded, *, weight: float, contributors: int) -> None:
    """Check how many rows all have, and what they weigh.

    Raises
    ------
    ImpossibleSumError
        Says what.
    """
    rows = int(total[0])
    if not 0 <= rows <= MOST_ROWS:
        raise ImpossibleSumError(f"found {rows} training rows; wanted 0 to {MOST_ROWS}")
    if not 0 <= weight <= LARGEST * contributors:
        raise ImpossibleSumError(
            f"found training rows that weigh {weight:.6g}; wanted 0 to {LARGEST * contributors:.6g}"
        )


def check_presence(structures: Forest, counts: Encoded, *, contributors: int) -> None:
    """Check how many bakeries have rows in each node.

    Raises
    ------
    ImpossibleSumError
        A count is none, or a child's is above its parent's, or both children's are below it.
    """
    expect((counts >= 0) & (counts <= contributors), counts, f"counts from 0 to {contributors}")
    nodes = Nodes.of(structures.trees)
    inner = np.flatnonzero(nodes.left != NO_NODE)
    root = nodes.starts[nodes.tree_numbers[inner]]
    left, right = counts[root + nodes.left[inner]], counts[root + nodes.right[inner]]
    parent = counts[inner]
    fits = (np.maximum(left, right) <= parent) & (parent <= left + right)
    expect(fits, parent, "children that their parent's contributors are in")


def check_clipped_scores(total: Encoded, *, contributors: int, noise: float) -> None:
    """Check a sum of scores of which each is clipped to 0 to 1.

    Parameters
    ----------
    total : int64 array of shape (1,)
        On the scale of `oblivious.decoded`.
    contributors : int
        How many scores there are at most.
    noise : float
        Standard deviation of the noise in the sum.

    Raises
    ------
    ImpossibleSumError
        It is beyond that, by more than noise.
    """
    found, far = decoded(total), FAR * noise
    wanted = f"{contributors} scores from 0 to 1"
    expect((found >= -far) & (found <= contributors + far), found, wanted)


def expect(fits: NDArray[np.bool_], values: NDArray[np.generic], wanted: str) -> None:
    """Refuse values of which one doesn't fit, with the first such.

    Raises
    ------
    ImpossibleSumError
        Says what was found, and what was wanted.
    """
    if not fits.all():
        found = values[~fits].flat[0]
        raise ImpossibleSumError(f"found {found:.6g} in a sum; wanted {wanted}")
