"""Histogram boosting on one table: the federation's own pieces, with one bakery that holds all.

A feature matrix comes in, a `Forest` goes out. It is what a federation must equal to the byte, and
what the server's and the bakeries' parts look like when nothing travels between them.
"""

from __future__ import annotations

from glean.features.matrix import FeatureMatrix
from glean.learning.bin_layout import BinLayout
from glean.learning.fixed_point import FixedPoint
from glean.learning.forest import Forest
from glean.learning.gradient_histograms import GradientHistograms
from glean.learning.histogram_grower import HistogramGrower
from glean.learning.row_sample import sampled_numbers
from glean.settings import BoostingSettings


def train_pooled_histogram(
    features: FeatureMatrix,
    *,
    boosting: BoostingSettings,
    learning_rate: float,
    steps: int,
    seed: int,
) -> Forest:
    """Train on the public bins, all rows in one place.

    Parameters
    ----------
    features : FeatureMatrix
        Rows with NaN `y` are days still to come: they teach nothing.
    boosting : BoostingSettings
        How trees are grown; each step gives `trees_per_round` times `num_parallel_tree` trees.
    learning_rate : float
        Factor on every leaf; the trees of a step are averaged.
    steps : int
        Boosting steps.
    seed : int
        Seed of row and column sampling; `boosting_step_seed` makes each step's.

    Raises
    ------
    SettingsError
        The objective can't be followed by sums.
    FederationError
        No row has a `y`.
    """
    layout = BinLayout(features.definition, boosting.bins)
    rows = GradientHistograms(features, layout, boosting)
    scale = FixedPoint.for_rows(rows.sold_rows)
    unit_weight = rows.total_weight / rows.sold_rows
    forest = Forest.empty(features.definition, objective=boosting.objective)
    margin = rows.start()
    for step in range(steps):
        grower = HistogramGrower(
            layout,
            boosting,
            learning_rate=learning_rate,
            rows=rows.sold_rows,
            seed=boosting_step_seed(seed, step),
        )
        while request := grower.request():
            grower.take(rows.histograms(margin, request, unit_weight=unit_weight, scale=scale))
        trees = grower.trees()
        margin, forest = rows.add(margin, trees), forest.plus(trees)
    return forest


def boosting_step_seed(seed: int, step: int) -> int:
    """Seed of a boosting step, counted from 0: of what `HistogramGrower` draws."""
    return int(sampled_numbers(seed, step + 1)[-1] >> 1)
