"""Cyclic: one bakery a round adds its trees to the model as they are, and passes it on."""

from __future__ import annotations

from collections.abc import Sequence

from glean.aggregation.update import TreeUpdate
from glean.errors import ModelError
from glean.learning.forest import Forest


def whose_turn(bakeries: Sequence[str], server_round: int) -> str:
    """Name the bakery of a round: all in turn, by name, whatever order they are listed in.

    Parameters
    ----------
    bakeries : sequence of str
        Those that could train, at least one.
    server_round : int
        Counted from 1.

    Examples
    --------
    >>> whose_turn(["south", "north"], 3)
    'north'
    """
    ordered = sorted(bakeries)
    return ordered[(server_round - 1) % len(ordered)]


def merge(model: Forest, updates: Sequence[TreeUpdate]) -> tuple[Forest, Forest]:
    """Put the trees of the round's bakery behind those of the model.

    Only the new trees travel up (see `read_tree_update`): a reply can't change the old ones.

    Parameters
    ----------
    model : Forest
        The global model that they were grown on.
    updates : sequence of TreeUpdate
        Exactly one.

    Returns
    -------
    model, news : Forest
        The next global model, and only the trees that are new in it.

    Raises
    ------
    ModelError
        No update or several: trees of two bakeries grown on one model would count twice.
    """
    if len(updates) != 1:
        raise ModelError(f"found {len(updates)} updates; wanted one: cyclic trains one at a time")
    news = updates[0].content
    return model.plus(news.trees), news
