"""Who reaches whom: links, ways through others, who is away; and what is written of it."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.mesh.membership_entry import MembershipError
from glean.mesh.peer_paths import shortest_paths
from glean.mesh.topology import FRESH_S, Relay, Topology, read_topology, topology_of
from tests.mesh.made_meshes import NAMES, mesh_of
from tests.mesh.memory_network import MemoryNetwork, MemoryPeer
from tests.mesh.test_gossip import rounds_until_same

A, B, C, D, *_ = NAMES


def seen_by(network: MemoryNetwork, name: str) -> Topology:
    peer = network.peers[name]
    heard = dict.fromkeys(peer.neighbours(), peer.now - 2)
    return topology_of(peer.store.membership, peer.store.member_cards(), name, heard, now=peer.now)


def test_a_topology_says_who_relays_for_whom(network: MemoryNetwork) -> None:
    """All that have heard the same say the same of links and relays."""
    for name in (A, B, C):
        found = seen_by(network, name)
        assert set(found.links) == {tuple(sorted(pair)) for pair in ((A, B), (B, C))}
        assert found.relays == (Relay(B, min(A, C), max(A, C)),)
    states = {one.name: (one.state, one.via) for one in seen_by(network, A).peers}
    assert states == {A: ("own", ""), B: ("neighbour", ""), C: ("relayed", B), D: ("away", "")}
    times = {one.name: one.last_heard for one in seen_by(network, A).peers}
    assert times[B] == network.peers[A].now
    assert times[D] is None


def test_what_a_relay_says_it_did_is_marked(network: MemoryNetwork) -> None:
    """Apart from what would go that way."""
    peer = network.peers[B]
    peer.store.sign_card(addresses=[], neighbours=peer.neighbours(), relayed=[(C, A)])
    network.peers[A].store.offer_cards(peer.store.member_cards())
    assert seen_by(network, A).relays == (Relay(B, min(A, C), max(A, C), seen=True),)


def test_who_says_nothing_any_more_is_away(network: MemoryNetwork) -> None:
    """Its old card links and relays nothing."""
    for peer in network.peers.values():
        peer.now += FRESH_S + 1
    network.peers[A].card()
    network.cut((A, B))
    found = seen_by(network, A)
    assert (found.links, found.relays) == ((), ())
    assert {one.name: one.state for one in found.peers}[C] == "away"


def test_a_link_between_others_is_one_where_both_say_so(network: MemoryNetwork) -> None:
    """One that claims all as its neighbours draws no lines."""
    liar = network.peers[C]
    liar.store.sign_card(addresses=[], neighbours=[A, B, D])
    network.peers[B].store.offer_cards(liar.store.member_cards())
    assert set(seen_by(network, B).links) == {tuple(sorted(pair)) for pair in ((A, B), (B, C))}


def test_a_topology_is_read_as_it_was_written(network: MemoryNetwork, tmp_path: Path) -> None:
    """For its owner alone; a broken one is said to be."""
    found, path = seen_by(network, A), tmp_path / "topology.json"
    assert read_topology(path) is None
    found.write(path)
    assert read_topology(path) == found
    assert path.stat().st_mode & 0o777 == 0o600
    for broken in ("", "[]", json.dumps({**found.content(), "peers": [1]}), "{}"):
        path.write_text(broken, encoding="utf-8")
        with pytest.raises(MembershipError, match="can't be read"):
            read_topology(path)


@settings(max_examples=100, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=16))
def test_ways_are_the_shortest(pairs: set[tuple[int, int]]) -> None:
    """Against powers of the adjacency matrix, word for word."""
    links = {(f"{one}", f"{other}") for one, other in pairs if one < other}
    near = links | {(other, one) for one, other in links}
    reached, count = {(f"{n}", f"{n}"): 0 for n in range(8)}, 0
    while fresh := {
        (start, end): count + 1
        for (start, mid), steps in reached.items() if steps == count
        for (one, end) in near if one == mid and (start, end) not in reached
    }:  # fmt: skip
        reached |= fresh
        count += 1
    found = shortest_paths(links)
    assert {pair: len(way) - 1 for pair, way in found.items()} == {
        pair: steps for pair, steps in reached.items() if steps
    }
    for (start, end), way in found.items():
        assert (way[0], way[-1]) == (start, end)
        assert set(pairwise(way)) <= near


def test_a_row_of_peers_learns_of_itself(tmp_path: Path) -> None:
    """Each of six sees all five links once gossip has gone through."""
    network = MemoryNetwork(seed=random.Random(1).randint(0, 9))  # noqa: S311
    for name in NAMES:
        MemoryPeer(network, tmp_path, name, mesh_of(*NAMES))
    network.link(*pairwise(NAMES))
    for peer in network.peers.values():
        peer.card()
    rounds_until_same(network, 10)
    for name in NAMES:
        assert len(seen_by(network, name).links) == 5
