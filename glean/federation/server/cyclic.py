"""Rounds of `cyclic`: one bakery a round adds its trees, all in turn."""

from __future__ import annotations

from collections.abc import Sequence

from glean.aggregation import cyclic
from glean.aggregation.update import TreeUpdate
from glean.federation.server.tree_merging import TreeMergingStrategy
from glean.learning.forest import Forest


class CyclicStrategy(TreeMergingStrategy):
    """The bakery whose turn it is trains; its trees join the model as they are."""

    def _trainers(self, number: int, spent: frozenset[str]) -> tuple[str, ...]:
        there = [name for name in self._manager.present_trainers(number) if name not in spent]
        return (cyclic.whose_turn(there, number),) if there else ()

    def _merged(self, forest: Forest, updates: Sequence[TreeUpdate]) -> Forest:
        merged, _ = cyclic.merge(forest, updates)
        return merged
