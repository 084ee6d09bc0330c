"""Entries come in an order in which each can be checked, however they were made."""

from __future__ import annotations

import random
import time
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.mesh import membership as module
from glean.mesh.entry_order import in_order
from glean.mesh.membership import Membership
from glean.mesh.membership_entry import MembershipEntry
from tests.mesh.made_meshes import BEGAN, NAMES, added, founded, joined, left, mesh_of

A, B, C, D, *_ = NAMES


def grown() -> list[MembershipEntry]:
    """Entries of several authors, two of which sign in one second."""
    known = mesh_of(A, B)
    for author, name in ((A, C), (B, D)):
        known = added(known, joined(known, author, name, at=BEGAN + 60))
    known = added(known, joined(known, C, "Newcomer", at=BEGAN + 60))
    known = added(known, left(known, C, at=BEGAN + 60))
    return list(known.entries.values())


@given(st.randoms(use_true_random=False), st.integers(0, 6))
def test_each_comes_after_what_it_builds_on(draw: random.Random, without: int) -> None:
    """In whatever order they come, and where some are missing; each comes once."""
    entries = grown()
    draw.shuffle(entries)
    entries = entries[without:]
    found = in_order(entries)
    assert sorted(one.id for one in found) == sorted(one.id for one in entries)
    places = {one.id: place for place, one in enumerate(found)}
    for one in found:
        for before in {one.author, one.previous} & places.keys():
            assert places[before] < places[one.id]
    assert found == in_order(reversed(entries))


def test_a_great_many_of_one_second_take_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain of them that one member has signed keeps nobody from starting."""
    # Whether signatures are true takes the same time for each, and isn't what grows.
    monkeypatch.setattr(module, "signature_fits", lambda *_: True)
    monkeypatch.setattr(module, "public_key", lambda *_, **__: None)
    known = founded(A)
    previous, chained = known.mesh, []
    for number in range(3_000):
        entry = MembershipEntry(
            "join", known.mesh, f"Bakery {number}", f"key {number}", known.mesh, previous,
            BEGAN + 1, invitation=f"{number:064x}", signature="00", countersignature="00",
        )  # fmt: skip
        chained.append(entry)
        previous = entry.id
    began = time.monotonic()
    found = Membership.of(known.mesh, chain(known.entries.values(), chained))
    assert len(found.view.members) == 3_001
    assert time.monotonic() - began < 10.0  # 0.2 s; in steps of each by each it was 74 s
