"""What a node asks of the members: keys, addresses, and whom it should keep connections to."""

from __future__ import annotations

import hashlib

import pytest

from glean.mesh.member_directory import (
    ALL_CONNECTED,
    STALE_S,
    MemberDirectory,
    wanted_neighbours,
)
from glean.mesh.member_view import MeshMember
from glean.mesh.mesh_limits import MeshLimits
from glean.mesh.peer_paths import shortest_paths
from tests.mesh.made_meshes import NAMES
from tests.mesh.memory_network import MemoryNetwork

A, B, C, D, *_ = NAMES


def test_a_node_asks_the_directory(network: MemoryNetwork) -> None:
    """Keys and addresses of members, and whom each hears; of nobody else."""
    peer = network.peers[A]
    now = peer.now
    directory = MemberDirectory(peer.store, A, clock=lambda: now)
    known = directory.peer(B)
    assert known is not None
    assert (known.name, known.addresses) == (B, ("127.0.0.1:8750",))
    assert str(known.key) == peer.store.membership.view.members[B].key
    assert (directory.peer("Nobody"), directory.neighbours("Nobody")) == (None, frozenset())
    assert directory.neighbours(B) == {A, C}
    assert directory.mesh.name == peer.store.membership.mesh
    assert set(directory.names()) == {B, C, D}
    now += STALE_S + 1
    assert directory.neighbours(B) == frozenset()
    network.peers[B].store.leave()
    peer.store.offer(network.peers[B].store.membership.entries.values())
    assert directory.peer(B) is None


@pytest.mark.parametrize("count", [1, 2, ALL_CONNECTED, ALL_CONNECTED + 1, 60, 250])
def test_whom_peers_want_as_neighbours_connects_all_of_them(count: int) -> None:
    """Both of two want each other; nobody is far from anybody, nor has too many connections."""
    members = {
        f"{n}": MeshMember(f"{n}", "", hashlib.sha256(b"%d" % n).hexdigest(), "", 0, "")
        for n in range(count)
    }
    wanted = {name: wanted_neighbours(members, name) for name in members}
    links = {(one, other) for one, others in wanted.items() for other in others if one < other}
    assert all(one in wanted[other] for one in members for other in wanted[one])
    assert max(len(others) for others in wanted.values()) < 32
    ways = shortest_paths(links)
    assert len(ways) == count * (count - 1)
    assert max((len(way) - 1 for way in ways.values()), default=0) <= MeshLimits().most_hops
