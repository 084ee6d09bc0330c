"""Peers tell each other until all know the same, over a network that loses and doubles."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.mesh import gossip
from glean.mesh.gossip import MOST_AT_ONCE, NEWS, SUMMARY
from glean.mesh.membership import MOST_ENTRIES, Membership
from tests.mesh.made_meshes import BEGAN, NAMES, added, identity, joined, left, mesh_of, signed_by
from tests.mesh.memory_network import MemoryNetwork, MemoryPeer

A, B, C, D, E, F = NAMES
FIELDS = (
    "kind", "mesh", "name", "key", "author", "previous", "at", "invitation", "title", "keys",
    "signature", "countersignature", "entry", "at_ms", "head", "addresses", "neighbours",
    "relayed", "turn", "digest", "entries", "cards",
)  # fmt: skip
"""Of entries, of cards and of summaries."""


def line(folder: Path, known: Membership, *names: str, **given: float) -> MemoryNetwork:
    """Peers in a row, each a neighbour of the next."""
    network = MemoryNetwork(**given)  # type: ignore[arg-type]
    for name in names:
        MemoryPeer(network, folder, name, known)
    network.link(*pairwise(names))
    return network


def rounds_until_same(network: MemoryNetwork, most: int) -> int:
    for count in range(most):
        stores = [peer.store for peer in network.peers.values()]
        known = {
            json.dumps([e.content() for e in one.membership.entries.values()]) for one in stores
        }
        if len(known) == 1 and len({frozenset(one.member_cards()) for one in stores}) == 1:
            return count
        network.round()
    pytest.fail(f"they don't agree after {most} rounds")


@pytest.mark.parametrize(("lost", "doubled"), [(0.0, 0.0), (0.3, 0.3)])
def test_all_come_to_know_what_one_knows(tmp_path: Path, lost: float, doubled: float) -> None:
    """Along a row of six, both ways, whatever is lost."""
    known = mesh_of(*NAMES)
    network = line(tmp_path, known, *NAMES, lost=lost, doubled=doubled, seed=3)
    one, other = network.peers[A].store, network.peers[F].store
    one.offer([joined(known, A, "Newcomer", at=BEGAN + 100)])
    other.leave()
    for peer in network.peers.values():
        peer.card()
    rounds_until_same(network, 40 if lost else 8)
    view = network.peers[C].store.membership.view
    assert set(view.members) == {A, B, C, D, E, "Newcomer"}
    assert [card.addresses for card in network.peers[F].store.member_cards()] == [
        ("127.0.0.1:8750",)
    ] * 5


def test_those_who_agree_say_little(tmp_path: Path) -> None:
    """A summary each and nothing more."""
    network = line(tmp_path, mesh_of(A, B), A, B)
    network.round()
    assert network.carried == 2


def test_two_sides_of_a_partition_agree_once_it_heals(tmp_path: Path) -> None:
    """Also where both let somebody in under one name: the same one counts for all."""
    known = mesh_of(A, B, C, D)
    network = line(tmp_path, known, A, B, C, D)
    network.cut((B, C))
    network.peers[A].store.offer([joined(known, A, E, at=BEGAN + 60, keys=identity("one"))])
    network.peers[D].store.offer([joined(known, D, E, at=BEGAN + 50, keys=identity("other"))])
    for _ in range(4):
        network.round()
    assert network.peers[B].store.membership.by_key(str(identity("one").public)) is not None
    network.link((B, C))
    rounds_until_same(network, 8)
    for peer in network.peers.values():
        member = peer.store.membership.member(E)
        assert member is not None
        assert member.key == str(identity("other").public)
        assert any("name taken" in text for text in peer.store.refused)


def test_a_liar_s_news_are_named_and_go_no_further(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Forged, foreign, re-signed and back-dated entries; forged and older cards; no JSON at all."""
    known = mesh_of(A, B, C)
    network = line(tmp_path, known, A, B, C)
    for peer in network.peers.values():
        peer.card()
    rounds_until_same(network, 5)
    true = joined(known, A, D, at=BEGAN + 60)
    resigned = signed_by(known.entries[known.view.members[B].entry], identity(D), identity(D))
    foreign = next(iter(mesh_of(D).entries.values()))
    lies = [signed_by(true, identity(D), identity(D)), resigned, foreign, true]
    card = next(one for one in network.peers[A].store.member_cards())
    cards = [
        {**card.content(), "at_ms": card.at_ms + 1},
        {**card.content(), "at_ms": card.at_ms - 1},
        {**card.content(), "entry": "0" * 64},
    ]
    before = network.peers[B].store.membership
    listens = network.peers[B].gossip
    with caplog.at_level(logging.WARNING):
        for body in (b"", b"[]", b"\xff", b"[" * 10_000, b'{"entries": 1, "cards": []}'):
            listens.take(C, NEWS, body)
            listens.take(C, SUMMARY, body)
        news = {"entries": [lie.content() for lie in lies], "cards": cards}
        listens.take(C, NEWS, json.dumps(news).encode())
    network.deliver()
    assert network.peers[B].store.membership == before
    told = "\n".join(network.peers[B].store.refused)
    for fault in ("forged", "re-signed", "foreign", "back-dated"):
        assert f": {fault}: " in told
    assert "card of" in told
    assert [one for one in network.peers[B].store.member_cards() if one.entry == card.entry] == [
        card
    ]


def test_a_great_many_entries_go_in_pieces(tmp_path: Path) -> None:
    """None of them larger than a message may be."""
    known = mesh_of(A, B)
    network = line(tmp_path, known, A, B)
    for at in range(MOST_AT_ONCE + 10):
        known = added(
            known, joined(known, A, f"Bakery {at}", at=BEGAN + 60, invitation=f"{at:064x}")
        )
    network.peers[A].store.offer(known.entries.values())
    rounds_until_same(network, 4)
    assert len(network.peers[B].store.membership.view.members) == MOST_AT_ONCE + 12


def test_the_longest_summary_is_read() -> None:
    """Of a mesh that has as many entries as it may, each of a member with a card."""
    ids = [f"{number:064x}" for number in range(gossip._MOST_IDS)]
    cards = dict.fromkeys(ids[:MOST_ENTRIES], 2**50)
    summary = {"turn": 1, "digest": ids[0], "entries": ids, "cards": cards}
    body = json.dumps(summary).encode()
    assert gossip._checked(gossip._read(body))[2:] == (set(ids), cards)


def test_newer_cards_alone_name_no_entries(tmp_path: Path) -> None:
    """Cards are signed anew all the time, and the names of all entries are long."""
    network = line(tmp_path, mesh_of(A, B), A, B)
    network.peers[A].card()
    network.peers[A].gossip.tell()
    (_, _, _, summary) = network.on_the_way.pop()
    network.peers[B].gossip.take(A, SUMMARY, summary)
    (_, _, kind, answer) = network.on_the_way.pop()
    assert (kind, json.loads(answer)["entries"]) == (SUMMARY, None)
    network.peers[A].gossip.take(B, kind, answer)
    network.deliver()
    assert len(network.peers[B].store.member_cards()) == 1


def test_a_clock_that_was_far_ahead_once_harms_nothing_later(tmp_path: Path) -> None:
    """What was signed by it nobody takes; what is signed by the right one, all do."""
    network = line(tmp_path, mesh_of(A, B), A, B)
    one, other = network.peers[A], network.peers[B]
    right = one.now
    one.now += 86_400.0
    one.card()
    one.now = right
    one.card()
    assert one.store.offer([joined(one.store.membership, A, C, at=int(right))]) == []
    rounds_until_same(network, 4)
    (card,) = other.store.member_cards()
    assert card.at == right


def test_what_is_known_is_said_while_others_entries_are_checked(tmp_path: Path) -> None:
    """Messages go by it, and checking takes long."""
    store = MemoryPeer(MemoryNetwork(), tmp_path, A, mesh_of(A, B)).store
    with ThreadPoolExecutor(1) as other, store._lock:
        found = other.submit(lambda: (store.membership.member(B), store.member_cards(), store.own))
        assert found.result(timeout=10.0)[0] is not None
        assert other.submit(lambda: store.refused).result(timeout=10.0) == ()


def test_two_that_never_agree_don_t_talk_without_end(tmp_path: Path) -> None:
    """Each has what the other refuses: cards dated ahead of the other's clock."""
    network = line(tmp_path, mesh_of(A, B), A, B)
    one, other = network.peers[A], network.peers[B]
    one.now += 10_000
    one.store.offer([joined(one.store.membership, A, C, at=int(one.now))])
    one.card()
    other.card()
    network.round()
    assert network.carried < 12
    assert other.store.membership.member(C) is None
    assert any("ahead of time" in text for text in other.store.refused)


def test_a_member_that_has_left_signs_nothing_more(tmp_path: Path) -> None:
    """No card, no invitation; and its card isn't passed on."""
    known = mesh_of(A, B)
    network = line(tmp_path, known, A, B)
    store = network.peers[B].store
    network.peers[B].card()
    entry = store.leave()
    assert store.own is None
    assert store.sign_card(addresses=[], neighbours=[]) is None
    assert store.member_cards() == ()
    assert left(known, B, at=entry.at).id == entry.id


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> MemoryPeer:
    """A peer of two, to be told anything."""
    network = line(tmp_path_factory.mktemp("listener"), mesh_of(A, B), A, B)
    network.peers[A].card()
    return network.peers[A]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([SUMMARY, NEWS]), JSON, st.sampled_from(["", *FIELDS]), st.data())
def test_whatever_is_told_ends_nothing_and_changes_nothing(
    listener: MemoryPeer, kind: str, value: object, field: str, data: st.DataObject
) -> None:
    """Any JSON at all, in the place of a message or of a field of it."""
    before = listener.store.membership, listener.store.member_cards()
    entry = next(iter(before[0].entries.values())).content()
    card = before[1][0].content()
    whole: object = value
    if field in entry or field in card:
        place = data.draw(st.sampled_from(["entries", "cards"]))
        news = {"entries": [{**entry, field: value}], "cards": [{**card, field: value}]}
        whole = {"entries": [], "cards": [], place: news[place]}
    elif field:
        summary = {"turn": 1, "digest": "", "entries": [], "cards": {}}
        whole = {**summary, field: value}
    listener.gossip.take(B, kind, json.dumps(whole).encode())
    assert (listener.store.membership, listener.store.member_cards()) == before
