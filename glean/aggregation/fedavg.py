"""Federated averaging: the weighted mean of the bakeries' weights (McMahan et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glean.aggregation.update import Update, in_name_order
from glean.errors import ModelError
from glean.learning.averaged import Weights


def checked(weights: Weights, *, like: Weights) -> Weights:
    """Return a bakery's weights if they fit the global ones.

    Raises
    ------
    ModelError
        Another kind of model or another feature definition; shapes follow from these two.
    """
    if weights.kind != like.kind:
        raise ModelError(f"found weights of kind {weights.kind!r}; wanted {like.kind!r}")
    if weights.definition != like.definition:
        raise ModelError(
            f"found weights on feature definition {weights.definition.identity[:12]}; wanted "
            f"{like.definition.identity[:12]}: the bakery runs with another horizon, season, "
            "covariates or version of Glean"
        )
    return weights


def merge(updates: Sequence[Update[Weights]]) -> Weights:
    """Average the weights by the bakeries' shares, in float64 and in the order of their names.

    Parameters
    ----------
    updates : sequence of Update
        Weights after local training, in any order.

    Returns
    -------
    Weights
        The next global weights.

    Raises
    ------
    ModelError
        No update, a bakery twice, a weight that isn't above zero, or weights that don't fit each
        other.
    """
    shared = in_name_order(updates)
    first = shared[0][0].content
    sums = {name: np.zeros(values.shape) for name, values in first.arrays.items()}
    for update, share in shared:
        for name, values in checked(update.content, like=first).arrays.items():
            sums[name] += share * values.astype(np.float64)
    means = {name: total.astype(np.float32) for name, total in sums.items()}
    return Weights(first.kind, first.definition, means)
