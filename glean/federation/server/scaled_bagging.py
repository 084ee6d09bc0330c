"""Rounds of `bagging` with scaled leaves: every bakery's trees join the model, by its share."""

from __future__ import annotations

from collections.abc import Sequence

from glean.aggregation import bagging
from glean.aggregation.update import TreeUpdate
from glean.federation.server.tree_merging import TreeMergingStrategy
from glean.learning.forest import Forest


class ScaledBaggingStrategy(TreeMergingStrategy):
    """All train, or those that are drawn; each leaf is scaled by its bakery's share."""

    def _trainers(self, number: int, spent: frozenset[str]) -> tuple[str, ...]:
        return self._manager.sample_trainers(number, without=spent)

    def _merged(self, forest: Forest, updates: Sequence[TreeUpdate]) -> Forest:
        merged, _ = bagging.merge(forest, updates)
        return merged
