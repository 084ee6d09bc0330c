"""Who leaves a mesh can say so again, whatever came in between."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from glean.mesh import membership as module
from glean.mesh.membership import Membership
from glean.mesh.membership_entry import leave_entry
from glean.mesh.membership_files import read_membership
from glean.mesh.mesh_home import MeshHome
from glean.mesh.mesh_peer import leave_mesh
from glean.privacy.peer_identity import PeerIdentity
from tests.mesh.made_homes import founded_home, joined_home, store_of
from tests.mesh.made_meshes import BEGAN, NAMES, added, faults, joined, left, mesh_of

A, B, C, *_ = NAMES


def test_a_kill_between_what_is_signed_and_what_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said again, it goes on from there, and nothing is signed twice."""
    home = founded_home(tmp_path / "a", A)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr(MeshHome, "note", killed)
        with pytest.raises(KeyboardInterrupt):
            leave_mesh(home, within_s=0.1)
    assert (store_of(home).own, home.facts().left) == (None, False)
    assert leave_mesh(home, within_s=0.1)
    assert (home.facts().left, len(store_of(home).membership.entries)) == (True, 2)


def test_a_bakery_that_is_let_in_at_the_same_moment_undoes_no_leave(tmp_path: Path) -> None:
    """The peer that runs has countersigned it in place of the leave: that is signed once more."""
    home = founded_home(tmp_path / "a", A)
    own = store_of(home).own
    assert own is not None
    before = read_membership(home, home.facts().mesh)
    joined_home(tmp_path / "b", home, B)
    keys, entry = PeerIdentity.read(home.path), before.entries[own.entry]
    late = leave_entry(keys, entry, own.head, at=own.joined_at + 200)
    store = store_of(home)
    assert store.offer([late]) == []
    assert store.own is not None, "the earlier one counts"
    home.note(replace(home.facts(), left=True))
    leave_mesh(home, within_s=0.1)
    assert store_of(home).own is None
    assert set(store_of(home).membership.view.members) == {B}


def test_a_mesh_that_is_full_keeps_nobody_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may still leave, once; and what is known then can be read again."""
    monkeypatch.setattr(module, "MOST_ENTRIES", 2)
    known = mesh_of(A, B)
    after = added(known, left(known, B, at=BEGAN + 50))
    assert Membership.of(known.mesh, after.entries.values()) == after
    assert faults(after, [left(known, B, at=BEGAN + 51)]) == ["too many"]
    assert faults(after, [joined(known, A, C, at=BEGAN + 50)]) == ["too many"]
