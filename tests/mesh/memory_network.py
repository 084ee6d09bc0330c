"""Peers of a mesh in one process: what they send may be lost, doubled and reordered."""

from __future__ import annotations

import random
from pathlib import Path

from glean.mesh.gossip import Gossip
from glean.mesh.membership import Membership
from glean.mesh.membership_files import write_entries
from glean.mesh.membership_store import MembershipStore
from glean.mesh.mesh_home import MeshHome
from tests.mesh.made_meshes import BEGAN, identity


class MemoryNetwork:
    """Who reaches whom, and what is on its way."""

    def __init__(self, seed: int = 0, *, lost: float = 0.0, doubled: float = 0.0) -> None:
        self.draw = random.Random(seed)  # noqa: S311
        self.lost, self.doubled = lost, doubled
        self.peers: dict[str, MemoryPeer] = {}
        self.links: set[frozenset[str]] = set()
        self.on_the_way: list[tuple[str, str, str, bytes]] = []
        self.carried = 0

    def link(self, *pairs: tuple[str, str]) -> None:
        self.links |= {frozenset(pair) for pair in pairs}

    def cut(self, *pairs: tuple[str, str]) -> None:
        self.links -= {frozenset(pair) for pair in pairs}

    def deliver(self) -> None:
        """Carry all that is on its way, in any order, until nothing is."""
        while self.on_the_way:
            at = self.draw.randrange(len(self.on_the_way))
            sender, receiver, kind, body = self.on_the_way.pop(at)
            if frozenset((sender, receiver)) not in self.links or self.draw.random() < self.lost:
                continue
            self.carried += 1
            assert self.carried < 100_000, "they never stop talking"
            for _ in range(1 + (self.draw.random() < self.doubled)):
                self.peers[receiver].gossip.take(sender, kind, body)

    def round(self) -> None:
        """Let every peer tell its neighbours once."""
        for name in sorted(self.peers):
            self.peers[name].gossip.tell()
        self.deliver()


class MemoryPeer:
    """One peer with a home of its own."""

    def __init__(self, network: MemoryNetwork, folder: Path, name: str, known: Membership) -> None:
        self.network, self.name, self.now = network, name, float(BEGAN + 1_000)
        member = known.member(name)
        assert member is not None
        home = MeshHome(folder / name.replace(" ", "-"))
        home.path.mkdir()
        write_entries(home, known)
        self.store = MembershipStore(
            home, known.mesh, member.entry, identity(name), clock=lambda: self.now
        )
        self.gossip = Gossip(self.store, self, draw=random.Random(name))  # noqa: S311
        network.peers[name] = self

    def send(self, peer: str, kind: str, body: bytes) -> None:
        self.network.on_the_way.append((self.name, peer, kind, body))

    def neighbours(self) -> list[str]:
        return [
            name
            for name in self.network.peers
            if name != self.name and frozenset((name, self.name)) in self.network.links
        ]

    def card(self) -> None:
        """Sign anew where it is and whom it hears."""
        self.store.sign_card(addresses=["127.0.0.1:8750"], neighbours=self.neighbours())
