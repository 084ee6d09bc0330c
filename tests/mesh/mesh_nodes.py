"""Nodes of a mesh in this process, over loopback, each with a home and a directory of its own."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from glean.mesh.mesh_limits import MeshLimits
from glean.mesh.mesh_node import MeshNode
from glean.mesh.message_store import MeshMessage
from glean.mesh.peer_directory import KnownPeer
from glean.privacy.peer_handshake import Mesh
from glean.privacy.peer_identity import SESSION_BYTES, PeerIdentity
from tests.processes import wait_until

QUICK = MeshLimits(
    connect_s=5.0,
    handshake_s=5.0,
    heartbeat_s=0.5,
    idle_s=5.0,
    first_backoff_s=0.1,
    longest_backoff_s=0.5,
    relay_after_s=0.2,
    resend_s=1.0,
    custody_s=1.0,
    longest_custody_s=2.0,
    later_s=0.3,
)
"""Nobody waits long in a test."""


@dataclass
class FixedDirectory:
    """Whom a peer knows, as a test says; what it says later counts then."""

    name: str
    peers: dict[str, KnownPeer]
    ways: Mapping[str, Collection[str]]
    mesh: Mesh = field(default_factory=lambda: Mesh("four mills"))

    def peer(self, name: str) -> KnownPeer | None:
        return self.peers.get(name)

    def neighbours(self, name: str) -> frozenset[str]:
        return frozenset(self.ways.get(name, ()))


class Peer:
    """One of the peers of a test: its keys and its home stay when its node is closed."""

    def __init__(self, name: str, home: Path, ways: Mapping[str, Collection[str]]) -> None:
        home.mkdir()
        self.name, self.home = name, home
        self.identity = PeerIdentity.new()
        self.directory = FixedDirectory(name, {}, ways)
        self.taken: list[MeshMessage] = []
        self.node: MeshNode | None = None
        self._port = 0

    @property
    def known(self) -> KnownPeer:
        """What others know of it."""
        addresses = (f"127.0.0.1:{self._port}",) if self._port else ()
        return KnownPeer(self.name, self.identity.public, addresses)

    @property
    def running(self) -> MeshNode:
        """Its node."""
        assert self.node is not None, f"{self.name} isn't up"
        return self.node

    def bodies(self) -> list[bytes]:
        """What it was sent, in the order that it was handled."""
        return [message.body for message in self.taken]

    def up(self, limits: MeshLimits = QUICK, *, at: str = "127.0.0.1") -> MeshNode:
        """Start its node, at the port that it had."""
        self.identity.session = secrets.token_bytes(SESSION_BYTES)
        self.node = MeshNode(
            self.home, self.identity, self.directory, listen=(at, self._port), limits=limits
        )
        self._port = self.node.port
        self.node.on("plan", self.taken.append)
        return self.node

    def down(self) -> None:
        """Close it."""
        if self.node is not None:
            self.node.close()
            self.node = None


@contextmanager
def peers(
    folder: Path, ways: Mapping[str, Collection[str]], *, limits: MeshLimits = QUICK
) -> Iterator[dict[str, Peer]]:
    """Start peers that know each other; who connects with whom, `ways` says."""
    made = {name: Peer(name, folder / name, ways) for name in ways}
    try:
        for peer in made.values():
            peer.up(limits)
        introduce(made)
        for peer in made.values():
            peer.running.start()
        yield made
    finally:
        for peer in made.values():
            peer.down()


def introduce(made: Mapping[str, Peer]) -> None:
    """Let all know all, as they are now."""
    for peer in made.values():
        peer.directory.peers.update({other.name: other.known for other in made.values()})


def connected(*pairs: tuple[Peer, Peer]) -> None:
    """Wait until these are connected."""
    wait_until(
        lambda: all(b.name in a.running.neighbours() for a, b in pairs),
        f"connections {[(a.name, b.name) for a, b in pairs]}",
        limit_s=30.0,
    )


def slower(limits: MeshLimits, **changes: float) -> MeshLimits:
    """The same limits, but for some."""
    return replace(limits, **changes)  # type: ignore[arg-type] # each of its field's kind
