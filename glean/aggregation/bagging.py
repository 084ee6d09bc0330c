"""Bagging: every bakery's new trees join the model, each leaf scaled by the bakery's share.

All grew their trees on the residual of the same model, so the scaled trees add up to the weighted
mean of what each proposed. A plain sum would multiply the learning rate by the number of bakeries
and diverge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from glean.aggregation.update import TreeUpdate, in_name_order
from glean.learning.forest import Forest


def merge(model: Forest, updates: Sequence[TreeUpdate]) -> tuple[Forest, Forest]:
    """Put the trees of one round behind those of the model.

    Parameters
    ----------
    model : Forest
        The global model that all of them were grown on.
    updates : sequence of TreeUpdate
        New trees by bakery, in any order.

    Returns
    -------
    model : Forest
        The next global model.
    news : Forest
        Only the trees that are new in it, scaled: what a bakery lacks that has the model before.

    Raises
    ------
    ModelError
        No update, a bakery twice, or a weight that isn't above zero.

    Examples
    --------
    >>> from glean.aggregation.update import Update
    >>> from glean.features.definition import FeatureDefinition
    >>> features = FeatureDefinition(horizon_days=1, season=False)
    >>> level = Forest.empty(features, objective="reg:squarederror")
    >>> model, news = merge(level, [Update("north", 2.0, level), Update("south", 1.0, level)])
    >>> news.tree_count
    0
    """
    trees = [
        tree.scaled(share)
        for update, share in in_name_order(updates)
        for tree in update.content.trees
    ]
    return model.plus(trees), replace(model, trees=tuple(trees))
