"""The honest rival of the federation: one bakery's own model, as good as it gets by itself.

Same features and the same kind of learner on the bakery's rows alone; depth and number of trees
are chosen on its own validation window, as a careful owner would.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from glean.features.matrix import FeatureMatrix
from glean.learning.boosting import TreeLearner
from glean.learning.forest import Forest
from glean.metrics import wape
from glean.settings import BoostingSettings

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

SHAPES = ((2, 20.0), (4, 5.0), (4, 20.0), (6, 20.0))
"""Depth and least child weight of the trees that are tried."""

LEARNING_RATE = 0.15
MOST_STEPS = 300
PATIENCE = 10
"""Steps without a better validation WAPE after which a depth is given up; grown at a time."""

DEFAULT_DEPTH = 4
DEFAULT_STEPS = 40
"""Taken where there is no validation window to choose on."""


@dataclass(frozen=True)
class AloneModel:
    """A bakery's own model.

    Parameters
    ----------
    forest : Forest
        Its trees; none where there was nothing to learn from: the level is the forecast.
    depth : int
        Depth chosen, 0 without trees.
    trees : int
        Number of trees chosen.
    validation_wape : float
        WAPE in units on the validation window; NaN where there is none.
    """

    forest: Forest
    depth: int
    trees: int
    validation_wape: float


def train_alone(
    train: FeatureMatrix, validation: FeatureMatrix, *, boosting: BoostingSettings, seed: int
) -> AloneModel:
    """Train on one bakery's rows alone and choose depth and number of trees by its validation.

    Parameters
    ----------
    train, validation : FeatureMatrix
        The bakery's rows before the validation window, and in it.
    boosting : BoostingSettings
        The federation's; `max_depth`, `min_child_weight` and `trees_per_round` don't count here.
    seed : int
        Seed of row and column sampling.

    Returns
    -------
    AloneModel
        Of `SHAPES`, the one with the least validation WAPE, cut where it was least. Without
        validation rows `DEFAULT_STEPS` steps of depth `DEFAULT_DEPTH`; without training rows the
        model without trees.
    """
    train = train.rows(np.isfinite(train.y))
    validation = validation.rows(np.isfinite(validation.y))
    if len(train) == 0:
        forest = Forest.empty(train.definition, objective=boosting.objective)
        return AloneModel(forest, 0, 0, wape(validation.units, validation.level))
    if len(validation) == 0:
        learner = TreeLearner(train, boosting=replace(boosting, max_depth=DEFAULT_DEPTH))
        forest = learner.grow(
            learner.start(), learning_rate=LEARNING_RATE, steps=DEFAULT_STEPS, seed=seed
        )
        return AloneModel(forest, DEFAULT_DEPTH, forest.tree_count, float("nan"))
    candidates = [
        _stopped_early(
            train,
            validation,
            boosting=replace(boosting, max_depth=depth, min_child_weight=least),
            seed=seed,
        )
        for depth, least in SHAPES
    ]
    return min(candidates, key=lambda model: model.validation_wape)


def _stopped_early(
    train: FeatureMatrix, validation: FeatureMatrix, *, boosting: BoostingSettings, seed: int
) -> AloneModel:
    """Grow `PATIENCE` steps at a time for as long as they bring a better validation WAPE."""
    learner = TreeLearner(train, boosting=boosting)
    judge = TreeLearner(validation, boosting=boosting)
    margin, judged = learner.start(), judge.start()
    forest = Forest.empty(train.definition, objective=boosting.objective)
    scores = [wape(validation.units, _in_units(judge, judged, validation))]
    width = boosting.num_parallel_tree
    for start in range(0, MOST_STEPS, PATIENCE):
        grown = learner.grow(
            margin, learning_rate=LEARNING_RATE, steps=PATIENCE, seed=(seed + start) % 2**31
        )
        margin, forest = learner.add(margin, grown), forest.plus(grown.trees)
        after = judge.each(judged, grown)[width - 1 :: width]
        scores += [wape(validation.units, _in_units(judge, m, validation)) for m in after]
        judged = after[-1]
        if len(scores) - 1 - int(np.argmin(scores)) >= PATIENCE:
            break
    best = int(np.argmin(scores))
    return AloneModel(forest.first(best * width), boosting.max_depth, best * width, scores[best])


def _in_units(judge: TreeLearner, margin: Singles, rows: FeatureMatrix) -> Floats:
    return np.maximum(judge.relative(margin), 0.0) * rows.level
