"""Random tables, and bakeries that hold parts of one, for tests of histogram boosting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.features.matrix import FeatureMatrix
from glean.learning.bin_layout import BinLayout
from glean.learning.fixed_point import FixedPoint
from glean.learning.gradient_histograms import GradientHistograms
from glean.learning.histogram_grower import HistogramGrower
from glean.learning.histogram_request import HistogramRequest
from glean.learning.tree import NO_NODE, Tree
from glean.settings import BoostingSettings
from tests.matrices import random_matrix


def non_iid_matrix(rows: int, *, seed: int) -> FeatureMatrix:
    """Four bakeries of several products that differ in size, in demand and in what is missing."""
    rng = np.random.default_rng(seed)
    features = random_matrix(rows, seed=seed)
    bakery = rng.integers(0, 4, rows)
    product = rng.integers(0, 3, rows)
    x = (features.x * np.exp(0.2 * rng.normal(size=(4, features.x.shape[1])))[bakery]).astype(
        np.float32
    )
    weekday = features.definition.names.index("weekday")
    x[:, weekday : weekday + 6] = rng.integers(0, 3, (rows, 6))
    x[(bakery == 0)[:, None] & (rng.random(x.shape[1]) < 0.3)] = np.nan
    level: NDArray[np.float64] = np.array([5.0, 40.0, 200.0, 1.5])[bakery] * (1.0 + product)
    y = (features.y * (0.5 + 0.4 * bakery) + rng.exponential(0.3, rows)).astype(np.float32)
    return replace(
        features,
        x=x,
        y=y,
        level=level,
        weight=level,
        units=(y * level).astype(np.float64),
        keys=pd.DataFrame(
            {
                "date": pd.Timestamp("2023-01-01") + pd.to_timedelta(np.arange(rows), unit="D"),
                "bakery": np.char.add("bakery ", bakery.astype(str)),
                "product": np.char.add("product ", product.astype(str)),
            }
        ),
    )


class HistogramFederation:
    """Bakeries whose replies are added up; what a federation does, without messages."""

    def __init__(self, parts: Sequence[FeatureMatrix], boosting: BoostingSettings) -> None:
        self.layout = BinLayout(parts[0].definition, boosting.bins)
        self.boosting = boosting
        self.bakeries = [GradientHistograms(part, self.layout, boosting) for part in parts]
        self.rows = sum(bakery.sold_rows for bakery in self.bakeries)
        # Not the sum of the bakeries' sums: its last bits would depend on who holds which row.
        weight = np.concatenate([p.weight[np.isfinite(p.y)] for p in parts])
        self.unit_weight = float(np.sort(weight).sum()) / self.rows
        self.scale = FixedPoint.for_rows(self.rows)
        self.margins = [bakery.start() for bakery in self.bakeries]

    def grower(self, *, seed: int, learning_rate: float = 0.3) -> HistogramGrower:
        """Begin a group of trees."""
        return HistogramGrower(
            self.layout, self.boosting, learning_rate=learning_rate, rows=self.rows, seed=seed
        )

    def grow(self, grower: HistogramGrower) -> tuple[Tree, ...]:
        """Grow a group of trees to its end."""
        while (request := grower.request()) is not None:
            grower.take(np.sum(self.replies(request), axis=0, dtype=np.int64))
        return grower.trees()

    def replies(self, request: HistogramRequest) -> list[NDArray[np.int64]]:
        """What each bakery replies to a request."""
        return [
            bakery.histograms(margin, request, unit_weight=self.unit_weight, scale=self.scale)
            for bakery, margin in zip(self.bakeries, self.margins, strict=True)
        ]

    def add(self, trees: Sequence[Tree]) -> None:
        """Let every bakery follow new trees."""
        self.margins = [
            bakery.add(margin, trees)
            for bakery, margin in zip(self.bakeries, self.margins, strict=True)
        ]


def dealt(features: FeatureMatrix, bakeries: int, *, seed: int) -> list[FeatureMatrix]:
    """Deal the rows out to bakeries at random, more to the first ones, in an order of their own."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(features))
    holder = rng.integers(0, bakeries, (2, len(features))).min(axis=0)
    shuffled = [order[holder[order] == bakery] for bakery in range(bakeries)]
    return [taken(features, rows) for rows in shuffled]


def taken(features: FeatureMatrix, rows: NDArray[np.int64]) -> FeatureMatrix:
    """Rows by position, in that order."""
    return replace(
        features,
        x=features.x[rows],
        y=features.y[rows],
        level=features.level[rows],
        mean_28=features.mean_28[rows],
        weight=features.weight[rows],
        units=features.units[rows],
        keys=features.keys.iloc[rows].reset_index(drop=True),
    )


def singles(*values: float) -> NDArray[np.float32]:
    """Numbers as float32, shape (values,)."""
    return np.array(values, dtype=np.float32)


def leaf_of(tree: Tree, x: NDArray[np.float32]) -> NDArray[np.int64]:
    """Node in which each row ends, by its values: the slow, obvious way."""
    found = np.zeros(len(x), dtype=np.int64)
    for row, values in enumerate(x):
        node = 0
        while tree.left[node] != NO_NODE:
            value = values[tree.split_feature[node]]
            left = tree.default_left[node] if np.isnan(value) else value < tree.value[node]
            node = int(tree.left[node] if left else tree.right[node])
        found[row] = node
    return found
