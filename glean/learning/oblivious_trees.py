"""Trees that nobody's rows were looked at for: drawn at random on public edges, by a seed.

Oblivious trees ask the same question at all nodes of a level, so a tree of depth d cuts the rows
by d questions into 2**d leaves. That random ones do under noise, where greedy splits would cost a
budget of their own, is the finding of Maddock, Cormode, Wang, Maple and Jha, "Federated boosted
decision trees with differential privacy" (CCS 2022). Everything here follows from constants and
the seed: a bakery can draw the trees itself, and the server can't slip in others.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from glean.learning.bin_layout import BinLayout
from glean.learning.tree import NO_NODE, Tree
from glean.seeds import derived_seed

Singles = NDArray[np.float32]

DEPTH = 5
"""Questions of a tree. Of depths 4, 5 and 6 this one had the lowest WAPE at the default epsilon on
windows of synthetic-40 before its test windows; deeper leaves hold more noise, shallower ones tell
less."""

TREES_PER_ROUND = 20
"""Trees whose average is one step; chosen with `DEPTH`, of 10, 20, 30 and 40."""

LEAVES_PER_ROUND: int = TREES_PER_ROUND * 2**DEPTH


@lru_cache(maxsize=64)
def random_trees(layout: BinLayout, *, seed: int, number: int) -> tuple[Tree, ...]:
    """Draw the trees of a round, without leaf values.

    Parameters
    ----------
    layout : BinLayout
        Columns and the edges at which they may be split.
    seed : int
        The run's.
    number : int
        The round, from 1.

    Returns
    -------
    tuple of Tree
        `TREES_PER_ROUND` of depth `DEPTH`, level by level, all leaves 0. Missing values go right.
    """
    rng = np.random.default_rng(derived_seed(seed, "oblivious trees", number))
    return tuple(_random_tree(layout, rng) for _ in range(TREES_PER_ROUND))


def _random_tree(layout: BinLayout, rng: np.random.Generator) -> Tree:
    columns = rng.choice(layout.columns, size=DEPTH, replace=False)
    edges = rng.integers(0, layout.edge_counts[columns])
    thresholds = layout.thresholds(columns, edges)
    nodes = np.arange(2 ** (DEPTH + 1) - 1, dtype=np.int32)
    inner = nodes < 2**DEPTH - 1
    level = np.minimum(np.log2(nodes + 1).astype(np.int64), DEPTH - 1)
    return Tree(
        left=np.where(inner, 2 * nodes + 1, NO_NODE).astype(np.int32),
        right=np.where(inner, 2 * nodes + 2, NO_NODE).astype(np.int32),
        split_feature=np.where(inner, columns[level], 0).astype(np.int32),
        value=np.where(inner, thresholds[level], 0).astype(np.float32),
        default_left=np.zeros(len(nodes), dtype=np.uint8),
    )


def with_leaves(trees: tuple[Tree, ...], values: Singles) -> tuple[Tree, ...]:
    """Give the leaves of `random_trees` their values, shape (trees, 2**DEPTH)."""
    found = []
    for tree, mine in zip(trees, values, strict=True):
        value = tree.value.copy()
        value[tree.left == NO_NODE] = mine
        found.append(replace(tree, value=value))
    return tuple(found)
