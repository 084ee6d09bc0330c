"""A bakery's own trees on top of the federation's model: what the others' sales don't explain.

In come the global model and the bakery's rows by window; out come trees that never leave the shop.
Trees of a few shapes are grown side by side and averaged: a validation window of four weeks can't
tell which shape is best, and their mean was better than any of them.
"""

from __future__ import annotations

import numpy as np

from glean.features.matrix import FeatureMatrix
from glean.learning.boosting import Shape, TreeLearner
from glean.learning.forest import Forest
from glean.settings import BoostingSettings

SHAPES = (Shape(2, 20.0), Shape(4, 20.0), Shape(6, 20.0))
"""Trees that are averaged."""

LEARNING_RATE = 0.1
"""Chosen with the shapes on the windows before the reference jobs' test windows."""


def grow_residual(
    base: Forest,
    training: FeatureMatrix,
    validation: FeatureMatrix,
    *,
    boosting: BoostingSettings,
    seed: int,
) -> Forest:
    """Grow a bakery's own trees on the residual of the federation's model.

    Parameters
    ----------
    base : Forest
        The federation's model.
    training, validation : FeatureMatrix
        The bakery's rows before the validation window, and in it: each shape stops where the error
        on the latter is least.
    boosting : BoostingSettings
        The federation's; depth and least child weight don't count here.
    seed : int
        Seed of row and column sampling.

    Returns
    -------
    Forest
        The new trees only, each shape's leaves divided by the number of shapes. None where a window
        has no rows.
    """
    empty = Forest.empty(base.definition, objective=base.objective)
    training = training.rows(np.isfinite(training.y))
    validation = validation.rows(np.isfinite(validation.y))
    if len(training) == 0 or len(validation) == 0:
        return empty
    learner = TreeLearner(training, boosting=boosting)
    validation_learner = TreeLearner(validation, boosting=boosting)
    margins = (
        learner.add(learner.start(), base),
        validation_learner.add(validation_learner.start(), base),
    )
    for shape in SHAPES:
        grown = learner.grow_until(
            validation_learner, margins, shape=shape, learning_rate=LEARNING_RATE, seed=seed
        )
        empty = empty.plus(grown.scaled(1 / len(SHAPES)).trees)
    return empty
