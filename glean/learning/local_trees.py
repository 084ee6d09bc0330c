"""The local baseline of the federation: one bakery's own model, as good as it gets by itself.

Same features and the same kind of learner on the bakery's rows alone; depth and number of trees
are chosen on its own validation window, as a careful owner would.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from glean.features.matrix import FeatureMatrix
from glean.learning.boosting import Shape, TreeLearner
from glean.learning.forest import Forest
from glean.metrics import wape
from glean.settings import BoostingSettings

SHAPES = (Shape(2, 20.0), Shape(4, 5.0), Shape(4, 20.0), Shape(6, 20.0))
"""Trees that are tried."""

LEARNING_RATE = 0.15

DEFAULT_DEPTH = 4
DEFAULT_STEPS = 40
"""Taken where there is no validation window to choose on."""


@dataclass(frozen=True)
class LocalTrees:
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


def train_local_trees(
    train: FeatureMatrix, validation: FeatureMatrix, *, boosting: BoostingSettings, seed: int
) -> LocalTrees:
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
    LocalTrees
        Of `SHAPES`, the one with the least validation WAPE, cut where it was least. Without
        validation rows `DEFAULT_STEPS` steps of depth `DEFAULT_DEPTH`; without training rows the
        model without trees.
    """
    train = train.rows(np.isfinite(train.y))
    validation = validation.rows(np.isfinite(validation.y))
    if len(train) == 0:
        return _level(validation, boosting)
    learner = TreeLearner(train, boosting=replace(boosting, max_depth=DEFAULT_DEPTH))
    if len(validation) == 0:
        forest = learner.grow(
            learner.start(), learning_rate=LEARNING_RATE, steps=DEFAULT_STEPS, seed=seed
        )
        return LocalTrees(forest, DEFAULT_DEPTH, forest.tree_count, float("nan"))
    validation_learner = TreeLearner(validation, boosting=boosting)
    candidates = [_level(validation, boosting)]
    candidates += [
        _of_shape(shape, learner, validation_learner, validation, seed=seed) for shape in SHAPES
    ]
    return min(candidates, key=lambda model: model.validation_wape)


def _level(validation: FeatureMatrix, boosting: BoostingSettings) -> LocalTrees:
    forest = Forest.empty(validation.definition, objective=boosting.objective)
    return LocalTrees(forest, 0, 0, wape(validation.units, validation.level))


def _of_shape(
    shape: Shape, learner: TreeLearner, validation: TreeLearner, rows: FeatureMatrix, *, seed: int
) -> LocalTrees:
    margins = (learner.start(), validation.start())
    forest = learner.grow_until(
        validation, margins, shape=shape, learning_rate=LEARNING_RATE, seed=seed
    )
    relative = validation.relative(validation.add(margins[1], forest))
    reached = wape(rows.units, rows.units_of(relative))
    return LocalTrees(forest, shape.max_depth, forest.tree_count, reached)
