"""Feature matrices and forests made of random numbers, for tests of learning and aggregation."""

from __future__ import annotations

import numpy as np
import pandas as pd

from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix
from glean.learning.forest import Forest
from glean.learning.tree import Tree

DEFINITION = FeatureDefinition(horizon_days=1, season=False)


def random_matrix(
    rows: int, *, seed: int = 0, definition: FeatureDefinition = DEFINITION
) -> FeatureMatrix:
    """Rows whose demand depends on the weekday, a lag and chance; a tenth of the cells missing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(1.0, 0.4, size=(rows, len(definition.names))).astype(np.float32)
    weekday = definition.names.index("weekday")
    x[:, weekday] = np.arange(rows) % 7
    lag = x[:, definition.names.index("lag_7")]
    y = 0.6 + 0.1 * x[:, weekday] + 0.3 * np.abs(lag) * (rng.random(rows) + 0.5)
    x[rng.random(x.shape) < 0.1] = np.nan
    level = np.where(np.arange(rows) % 2, 80.0, 20.0)
    keys = pd.DataFrame({"date": pd.date_range("2024-01-01", periods=rows)})
    return FeatureMatrix(
        x=x,
        y=y.astype(np.float32),
        level=level,
        mean_28=level,
        model_share=np.ones(rows),
        weight=level,
        units=y * level,
        keys=keys.assign(bakery="north", product="all"),
        definition=definition,
    )


def random_tree(rng: np.random.Generator, *, depth: int = 3, columns: int = 5) -> Tree:
    """A full tree; nodes level by level, as XGBoost numbers them."""
    size = 2 ** (depth + 1) - 1
    inner = np.arange(size) < 2**depth - 1
    first = 2 * np.arange(size) + 1
    return Tree(
        left=np.where(inner, first, -1).astype(np.int32),
        right=np.where(inner, first + 1, -1).astype(np.int32),
        split_feature=np.where(inner, rng.integers(0, columns, size), 0).astype(np.int32),
        value=rng.normal(1.0, 0.5, size).astype(np.float32),
        default_left=(inner & (rng.random(size) < 0.5)).astype(np.uint8),
    )


def random_forest(trees: int, *, seed: int = 0, depth: int = 3) -> Forest:
    """A model on `DEFINITION` with full random trees."""
    rng = np.random.default_rng(seed)
    empty = Forest.empty(DEFINITION, objective="reg:squarederror")
    columns = len(DEFINITION.names)
    return empty.plus([random_tree(rng, depth=depth, columns=columns) for _ in range(trees)])


def same_trees(a: Forest, b: Forest) -> bool:
    """Whether both have the same trees, in the same order, to the byte."""
    return a.to_bytes() == b.to_bytes()
