"""What a bakery contributes to a round, its weight, and the check of trees that arrive.

An `Update` is all that an aggregation is told of a bakery. Aggregations go through updates in the
order of the bakeries' names, so that the order of replies changes no byte of the model.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

from glean.errors import ModelError
from glean.learning.forest import FEATURES_KEY, Forest

Content = TypeVar("Content")


@dataclass(frozen=True)
class Update(Generic[Content]):
    """A bakery's contribution to one round.

    Parameters
    ----------
    bakery : str
        Its name, once among the updates of a round.
    weight : float
        Above zero: the sum of its training rows' weights, rounded by `share_weight`.
    content : Forest or Weights
        Its new trees, or its weights after training.
    """

    bakery: str
    weight: float
    content: Content


TreeUpdate = Update[Forest]


def share_weight(total: float) -> float:
    """Round a bakery's training weight to two significant digits before it travels.

    The exact sum would tell the server the bakery's turnover; two digits serve the shares.

    Examples
    --------
    >>> share_weight(48_213.7)
    48000.0
    """
    return float(f"{total:.1e}")


def in_name_order(updates: Sequence[Update[Content]]) -> list[tuple[Update[Content], float]]:
    """Sort updates by bakery and give each its share of the weight; the shares add up to 1.

    Raises
    ------
    ModelError
        There are none, a bakery is there twice, or a weight isn't a number above zero.
    """
    if not updates:
        raise ModelError("no update to merge; wanted one at least")
    ordered = sorted(updates, key=lambda update: update.bakery)
    for before, after in pairwise(ordered):
        if before.bakery == after.bakery:
            raise ModelError(f"two updates of {after.bakery!r}; wanted one a round")
    for update in ordered:
        if not (math.isfinite(update.weight) and update.weight > 0):
            raise ModelError(
                f"{update.bakery!r}: found weight {update.weight}; wanted one above zero"
            )
    total = math.fsum(update.weight for update in ordered)
    return [(update, update.weight / total) for update in ordered]


def read_tree_update(
    data: bytes, *, definition_identity: str, objective: str, trees: int
) -> Forest:
    """Read the new trees that a bakery sent.

    Parameters
    ----------
    data : bytes
        A model file that holds the new trees only.
    definition_identity : str
        `FeatureDefinition.identity` of the federation.
    objective : str
        Its loss.
    trees : int
        How many trees were asked for.

    Raises
    ------
    ModelError
        The bytes are damaged or cut short, a leaf isn't finite, or the features, the loss or the
        number of trees aren't the ones agreed on.
    """
    forest = Forest.from_bytes(data)
    # The text is compared before it is parsed: a stranger's JSON can be made to exhaust a parser.
    text = forest.attributes.get(FEATURES_KEY, "")
    found = hashlib.sha256(text.encode()).hexdigest()
    if found != definition_identity:
        raise ModelError(
            f"found feature definition {found[:12]}; wanted {definition_identity[:12]}: the "
            "sender runs with another horizon, season, covariates or version of Glean"
        )
    _ = forest.definition  # raises where it isn't that of the trees' columns
    if forest.objective != objective:
        raise ModelError(f"found objective {forest.objective!r}; wanted {objective!r}")
    if forest.tree_count != trees:
        raise ModelError(f"found {forest.tree_count} new trees; wanted {trees}")
    return forest
