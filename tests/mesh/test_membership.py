"""Who belongs to a mesh: what is taken, what is refused by its name, and that all agree."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.mesh import membership as module
from glean.mesh.membership import Membership, SeenHead
from glean.mesh.membership_entry import MembershipEntry, MembershipError, read_entry
from tests.mesh.made_meshes import (
    BEGAN,
    NAMES,
    added,
    faults,
    founded,
    identity,
    joined,
    left,
    mesh_of,
    signed_by,
)

A, B, C, D, *_ = NAMES


def refused(known: Membership) -> list[tuple[str, str]]:
    return [(one.entry.name, one.fault) for one in known.view.refused]


def test_who_founds_invites_and_joins_belongs_to_it() -> None:
    """Also by a chain of invitations; each with its inviter's name."""
    known = mesh_of(A, B)
    known = added(known, joined(known, B, C, at=BEGAN + 20))
    assert {name: one.invited_by for name, one in known.view.members.items()} == {
        A: "", B: A, C: B,
    }  # fmt: skip
    assert known.title == "Test mesh"
    assert known.by_key(str(identity(C).public)) == known.member(C)


def test_who_leaves_is_none_any_more_and_may_come_back() -> None:
    """By a new invitation; the old entry brings nobody back."""
    known = mesh_of(A, B)
    before = list(known.entries.values())
    known = added(known, left(known, B, at=BEGAN + 100))
    assert (known.member(B), [one.name for one in known.view.left]) == (None, [B])
    assert added(known, *before).member(B) is None
    known = added(known, joined(known, A, B, at=BEGAN + 200))
    member = known.member(B)
    assert member is not None
    assert member.joined_at == BEGAN + 200


def test_entries_may_come_in_any_order() -> None:
    """What builds on others waits for them, within what came together."""
    known = mesh_of(A, B)
    known = added(known, joined(known, B, C, at=BEGAN + 10))
    known = added(known, joined(known, C, D, at=BEGAN + 10), left(known, A, at=BEGAN + 10))
    for seed in range(20):
        entries = list(known.entries.values())
        random.Random(seed).shuffle(entries)  # noqa: S311
        assert Membership.of(known.mesh, entries) == known


def changed(entry: MembershipEntry, field: str) -> MembershipEntry:
    """An entry with one field made another, the signatures as they were."""
    value = getattr(entry, field)
    other: Any = f"{value} x"
    if field == "at":
        other = value + 1
    elif field == "key":
        other = str(identity(D).public)
    elif field not in ("name", "title"):
        other = f"{int(value[:1], 16) ^ 1:x}{value[1:]}"
    return replace(entry, **{field: other})


FIELDS = ("name", "key", "author", "previous", "at", "invitation", "signature", "countersignature")


@pytest.mark.parametrize("field", FIELDS)
def test_a_change_of_any_field_is_found(field: str) -> None:
    """Whichever it is: no entry is taken that its key and its inviter's didn't sign so."""
    known = mesh_of(A, B)
    forged = changed(joined(known, A, C, at=BEGAN + 50), field)
    found, refusals = known.offered([forged])
    assert found == known
    assert [one.fault for one in refusals] in (["forged"], ["unknown author"])
    assert repr(forged.name) in str(refusals[0])


def test_one_that_joins_by_itself_is_forged() -> None:
    """Countersigned by its own key in place of its inviter's, or by another member's."""
    known = mesh_of(A, B)
    true = joined(known, A, C, at=BEGAN + 50)
    for author in (C, B):
        entry = signed_by(replace(true, at=true.at + 1), identity(C), identity(author))
        assert faults(known, [entry]) == ["forged"]


def test_one_that_is_signed_anew_is_refused_by_that_name() -> None:
    """The same content, known already, by other keys; what is known stays."""
    known = mesh_of(A, B)
    entry = known.entries[known.view.members[B].entry]
    for own, author in ((C, A), (B, C), (C, C)):
        again = signed_by(entry, identity(own), identity(author))
        found, refusals = known.offered([again])
        assert [one.fault for one in refusals] == ["re-signed"]
        assert found == known


def test_one_that_is_signed_anew_by_the_same_rsa_key_changes_nothing() -> None:
    """Such a key signs the same in many ways: all peers keep the same one."""
    known = founded(A, rsa=True)
    entry = known.entries[known.mesh]
    again = replace(entry, signature=identity(A, "rsa-2048").sign(entry.request).hex())
    assert again != entry
    one, other = known.offered([again]), Membership.of(known.mesh, [again]).offered([entry])
    assert one == other
    assert one[1] == []


def test_one_is_as_good_as_the_mesh_wants_its_keys() -> None:
    """RSA only where that was said when the mesh was founded."""
    rsa = identity(B, "rsa-2048")
    known = mesh_of(A)
    assert faults(known, [joined(known, A, B, at=BEGAN + 9, keys=rsa)]) == ["wrong key"]
    known = founded(A, rsa=True)
    member = known.member(A)
    assert member is not None
    entry = replace(joined(known, A, B, at=BEGAN + 9, keys=rsa))
    taken = signed_by(entry, rsa, identity(A, "rsa-2048"))
    assert added(known, taken).member(B) is not None


def test_one_of_another_mesh_is_foreign() -> None:
    """Also where the same bakery founded both."""
    other = added(mesh_of(A), joined(mesh_of(A), A, B, at=BEGAN + 7))
    known = founded(A, at=BEGAN + 1)
    assert faults(known, other.entries.values()) == ["foreign", "foreign"]


def test_an_invitation_that_is_shown_again_lets_nobody_in() -> None:
    """Also where its maker countersigns both: the one before counts, the other is named."""
    known = mesh_of(A, B)
    secret = "ab" * 32
    known = added(known, joined(known, A, C, at=BEGAN + 50, invitation=secret))
    known = added(known, joined(known, A, D, at=BEGAN + 60, invitation=secret))
    assert known.member(C) is not None
    assert known.member(D) is None
    assert refused(known) == [(D, "replayed")]
    assert C in known.view.refused[0].text
    later = joined(known, A, D, at=BEGAN + 70)
    assert added(known, later).member(D) is not None, "its maker goes on after it"


def test_who_has_joined_can_be_let_in_by_nobody_once_it_left() -> None:
    """Its maker countersigns the same request once more."""
    known = mesh_of(A, B)
    entry = known.entries[known.view.members[B].entry]
    known = added(known, left(known, B, at=BEGAN + 100))
    member = known.member(A)
    assert member is not None
    again = replace(entry, previous=member.head, at=BEGAN + 200)
    known = added(known, signed_by(again, identity(B), identity(A)))
    assert known.member(B) is None
    assert refused(known) == [(B, "replayed")]


def test_what_is_dated_before_what_its_author_signed_is_back_dated() -> None:
    """Before its own joining, before its last entry, and before what it said of itself."""
    known = mesh_of(A, B)
    member = known.member(B)
    assert member is not None
    assert faults(known, [joined(known, B, C, at=member.joined_at - 1)]) == ["back-dated"]
    known = added(known, joined(known, B, C, at=BEGAN + 100))
    assert faults(known, [joined(known, B, D, at=BEGAN + 99)]) == ["back-dated"]
    head = known.view.members[B].head
    heads = {member.entry: SeenHead(head, BEGAN + 500)}
    late = [joined(known, B, D, at=BEGAN + 499)]
    assert faults(known, late) == []
    assert faults(known, late, heads=heads) == ["back-dated"]
    assert faults(known, [joined(known, B, D, at=BEGAN + 500)], heads=heads) == []


def test_what_is_dated_later_waits_outside() -> None:
    """Clocks may differ by a few minutes."""
    known = mesh_of(A, B)
    entry = joined(known, A, C, at=BEGAN + 10_000)
    early = BEGAN + 10_000 - module.CLOCK_ERROR_S - 1
    assert faults(known, [entry], now=early) == ["ahead of time"]
    assert faults(known, [entry], now=early + 2) == []


def test_nobody_leaves_for_another() -> None:
    """Nor invites once it has left."""
    known = mesh_of(A, B, C)
    theirs, own = left(known, B, at=BEGAN + 50), known.member(C)
    assert own is not None
    forged = replace(theirs, author=own.entry, previous=own.head)
    assert faults(known, [signed_by(forged, identity(C), identity(C))]) == ["forged"]
    assert faults(known, [signed_by(theirs, identity(C), identity(C))]) == ["forged"]
    gone = added(known, theirs)
    after = replace(joined(known, B, D, at=BEGAN + 60), previous=theirs.id)
    assert faults(gone, [signed_by(after, identity(D), identity(B))]) == ["after leaving"]


def test_an_author_that_signs_two_entries_in_one_place_is_named() -> None:
    """One of them counts, the same for all; what builds on the other doesn't."""
    known = mesh_of(A, B)
    one, other = joined(known, B, C, at=BEGAN + 60), joined(known, B, D, at=BEGAN + 50)
    known = added(known, one, other)
    assert (known.member(C), known.member(D) is None) == (None, False)
    assert refused(known) == [(C, "forked")]


def test_two_that_take_one_name_apart_are_one_member_and_one_refusal() -> None:
    """The earlier one, whichever a peer hears of first; names that share a folder are one."""
    known = mesh_of(A, B)
    one = joined(known, A, C, at=BEGAN + 50, keys=identity("one"))
    other = joined(known, B, C.upper(), at=BEGAN + 51, keys=identity("other"))
    for order in ((one, other), (other, one)):
        found = added(known, *order)
        assert found.by_key(str(identity("one").public)) is not None
        assert found.by_key(str(identity("other").public)) is None
        assert refused(found) == [(C.upper(), "name taken")]


def test_a_key_is_one_member_s() -> None:
    """A second name for it is refused."""
    known = mesh_of(A, B)
    known = added(known, joined(known, A, C, at=BEGAN + 50, keys=identity(B)))
    assert refused(known) == [(C, "key taken")]


def test_a_mesh_can_t_be_filled_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A member gone wrong stops at a bound."""
    monkeypatch.setattr(module, "MOST_ENTRIES", 2)
    known = mesh_of(A, B)
    assert faults(known, [joined(known, A, C, at=BEGAN + 50)]) == ["too many"]


def test_what_is_no_entry_is_refused_as_it_is_read() -> None:
    """Each field with another type or form; one too many, one too few."""
    content = joined(mesh_of(A, B), A, C, at=BEGAN + 50).content()
    assert read_entry(content).content() == content
    wrong: list[Any] = [
        *({**content, name: None} for name in content),
        *({**content, name: 17} for name in content if name != "at"),
        *({**content, name: "x" * 9_000} for name in content if name != "at"),
        {**content, "at": -1}, {**content, "at": 2**50}, {**content, "at": True},
        {**content, "kind": "expel"}, {**content, "name": "\ud800"}, {**content, "name": "a/b"},
        {**content, "title": "x"},
        {**content, "mesh": content["mesh"].upper().replace("0", "A")},
        {**content, "more": ""}, {name: content[name] for name in ("kind", "mesh")}, [], None,
    ]  # fmt: skip
    for one in wrong:
        with pytest.raises(MembershipError):
            read_entry(one)


def history(seed: int) -> tuple[str, list[list[MembershipEntry]]]:
    """Peers that join, leave, fork and clash apart from each other; what each then knows."""
    draw = random.Random(seed)  # noqa: S311
    start = mesh_of(*NAMES[:3])
    sides = [start] * 3
    for step in range(draw.randint(3, 12)):
        side = draw.randrange(3)
        known = sides[side]
        members = sorted(known.view.members)
        if not members:
            continue
        author, at = draw.choice(members), BEGAN + 100 + step + draw.randint(0, 2)
        if draw.random() < 0.3:
            entry = left(known, author, at=max(at, known_at(known, author)))
        else:
            name = draw.choice([*NAMES, "old market", "Mill  Lane"])
            secret = f"{draw.randint(0, 5):064x}"
            keys = identity(f"key {draw.randint(0, 6)}")
            entry = joined(
                known, author, name, at=max(at, known_at(known, author)), invitation=secret,
                keys=keys,
            )  # fmt: skip
        sides[side], _ = known.offered([entry])
    return start.mesh, [list(side.entries.values()) for side in sides]


def known_at(known: Membership, name: str) -> int:
    """When the last entry of a member was made."""
    return known.entries[known.view.members[name].head].at


def as_sides(seed: int) -> list[Membership]:
    mesh, sides = history(seed)
    return [Membership.of(mesh, side) for side in sides]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_merging_is_commutative_associative_and_idempotent(seed: int) -> None:
    """In the entries, and in what follows from them."""
    one, two, three = as_sides(seed)
    all_of_them = one.merged(two).merged(three)
    for other in (
        three.merged(two).merged(one),
        one.merged(two.merged(three)),
        two.merged(one).merged(three).merged(two),
        all_of_them.merged(all_of_them),
    ):
        assert other == all_of_them
        assert other.view == all_of_them.view
    for side in (one, two, three):
        assert side.merged(side) == side
        assert all_of_them.merged(side) == all_of_them
    assert Membership.of(one.mesh, all_of_them.entries.values()) == all_of_them


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_the_order_in_which_entries_come_changes_nothing(seed: int, order: random.Random) -> None:
    """One by one, some twice; who builds on what isn't there yet comes again, as gossip does."""
    one, two, three = as_sides(seed)
    whole = one.merged(two).merged(three)
    entries = [*whole.entries.values(), *one.entries.values()]
    found = Membership(one.mesh)
    while found != whole:
        order.shuffle(entries)
        before = found
        for entry in entries:
            found, refusals = found.offered([entry])
            assert {refusal.fault for refusal in refusals} <= {"unknown author"}
        assert found != before
    assert found.view == whole.view


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_no_two_members_share_a_name_a_key_or_a_place(seed: int) -> None:
    """Whatever was signed apart; and each true entry either counts or is named."""
    one, two, three = as_sides(seed)
    view = one.merged(two).merged(three).view
    entries = one.merged(two).merged(three).entries
    assert len({member.key for member in view.members.values()}) == len(view.members)
    assert len({name.casefold() for name in view.members}) == len(view.members)
    joins = {key for key, entry in entries.items() if entry.kind != "leave"}
    counted = {member.entry for member in (*view.members.values(), *view.left)}
    named = {refusal.entry.id for refusal in view.refused}
    assert joins == counted | (named & joins)
    assert not counted & named


def test_histories_have_all_that_can_happen() -> None:
    """Else the properties above would hold for nothing."""
    seen = set()
    for seed in range(80):
        one, two, three = as_sides(seed)
        view = one.merged(two).merged(three).view
        seen |= {refusal.fault for refusal in view.refused} | ({"left"} if view.left else set())
    assert seen == {"left", "forked", "replayed", "name taken", "key taken", "not a member"}


def test_two_meshes_are_never_merged() -> None:
    """Even where the same bakery founded both."""
    with pytest.raises(MembershipError, match="found a mesh"):
        founded(A).merged(founded(A, at=BEGAN + 1))


def test_every_field_of_an_entry_is_signed() -> None:
    """A field that comes later must be part of what signatures cover."""
    entry = joined(mesh_of(A, B), A, C, at=BEGAN + 50)
    fields = {item.name for item in dataclasses.fields(entry)}
    for name in fields - {"signature", "countersignature"}:
        value: Any = 1 if name == "at" else "other"
        other = replace(entry, **{name: value})
        assert other.statement != entry.statement, name
