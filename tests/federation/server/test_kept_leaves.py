"""Leaves that may serve again are on disk, for a run that resumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from glean.aggregation.grouped_refit import GroupedLeaves
from glean.aggregation.leaf_floor import CountedLeaves, NodeCounts
from glean.federation.server.kept_leaves import FILE, MOST, KeptGroupedLeaves
from glean.learning.structure import leaf_count, node_count
from glean.runs.folder import RunFolder
from tests.matrices import random_forest


def leaves_of(number: int) -> GroupedLeaves:
    """Three groups' leaves; what is in them is the round's own."""
    forest = random_forest(2, seed=number)
    found = {}
    for place in (0, 2, 5):
        counts = NodeCounts(
            np.full(node_count(forest), number + place), frozenset((f"bakery {place}", "ö"))
        )
        hessians = np.arange(leaf_count(forest)) + number
        found[place] = CountedLeaves(forest, counts).with_hessians(hessians)
    return GroupedLeaves(forest, found)


def told(leaves: GroupedLeaves) -> list[object]:
    found: list[object] = [leaves.proposed.to_bytes()]
    for place, one in leaves.groups.items():
        assert one.hessians is not None
        found += [place, one.structures.to_bytes(), one.counts.counts.tolist()]
        found += [sorted(one.counts.bakeries), one.hessians.tolist()]
    return found


def test_the_last_rounds_serve_in_turn_and_are_read_again(tmp_path: Path) -> None:
    """A round that is made again takes its own place; none serves in itself or before."""
    kept = KeptGroupedLeaves(RunFolder(tmp_path))
    for number in (1, 2, 3, 5, 6, 6):
        kept.add(number, leaves_of(number))
    for each in (kept, KeptGroupedLeaves(RunFolder(tmp_path))):
        order = [told(leaves)[0] for leaves in each.serving(7)]
        rounds = [2, 3, 5, 6]
        assert len(order) == MOST
        expected = [rounds[(7 + step) % 4] for step in range(4)]
        assert order == [leaves_of(number).proposed.to_bytes() for number in expected]
        first = next(each.serving(7))
        assert told(first) == told(leaves_of(expected[0]))
        assert len(list(each.serving(6))) == 3
        assert not list(each.serving(2))


def test_what_can_not_be_read_does_not_serve(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Which is said."""
    KeptGroupedLeaves(RunFolder(tmp_path)).add(1, leaves_of(1))
    whole = (tmp_path / FILE).read_bytes()
    for damaged in (b"PK", whole[: len(whole) // 2]):
        caplog.clear()
        (tmp_path / FILE).write_bytes(damaged)
        assert not list(KeptGroupedLeaves(RunFolder(tmp_path)).serving(9))
        assert "can't be read" in caplog.text
