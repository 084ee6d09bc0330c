"""Peers of a mesh without connections: what they send goes where a test carries it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from glean.mesh.forwarding import Forwarder
from glean.mesh.frames import Packet
from glean.mesh.incoming import IncomingMessages
from glean.mesh.mesh_limits import MeshLimits
from glean.mesh.message_handlers import MessageHandlers
from glean.mesh.message_store import KEY_BYTES, MeshMessage, MessageStore
from glean.mesh.outgoing import OutgoingMessages
from glean.mesh.peer_directory import KnownPeer
from glean.privacy.peer_handshake import Mesh
from glean.privacy.peer_identity import PeerIdentity
from tests.mesh.mesh_nodes import FixedDirectory

KEYS = {name: PeerIdentity.new() for name in "abcd"}
"""Made once: which they are makes no difference."""


@dataclass
class Clock:
    """Both clocks of a peer: seconds that pass when a test says so."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Wire:
    """A link that keeps what it is given."""

    packets: list[Packet] = field(default_factory=list)

    def offer(self, packet: Packet) -> bool:
        self.packets.append(packet)
        return True


class StorePeer:
    """A peer's files and what works on them, without threads or sockets."""

    def __init__(
        self,
        folder: Path,
        directory: FixedDirectory,
        *,
        clock: Clock,
        limits: MeshLimits | None = None,
    ) -> None:
        self.name, self.directory, self.clock = directory.name, directory, clock
        self.limits = limits or MeshLimits()
        self.home = folder / self.name
        self.home.mkdir()
        self.handled: list[MeshMessage] = []
        self.open()

    def open(self) -> None:
        """Begin, or begin again with what is on disk."""
        identity = KEYS[self.name]
        self.store = MessageStore(self.home, self.limits, clock=self.clock)
        self.outgoing = OutgoingMessages(self.store, identity, self.directory, limits=self.limits)
        self.incoming = IncomingMessages(
            self.store, identity, self.directory, self.outgoing, limits=self.limits
        )
        self.forwarder = Forwarder(self.store, self.directory, limits=self.limits, clock=self.clock)
        self.handlers = MessageHandlers(self.store, self.name, clock=self.clock)
        self.handlers.on("plan", self.handled.append)

    def close(self) -> None:
        """End, as a kill would: nothing is tidied."""
        self.store.close()

    def remove(self) -> None:
        """End, and take the files away."""
        self.close()
        shutil.rmtree(self.home)

    def transmissions(self, *to: str) -> list[tuple[str, Packet]]:
        """What would go now, if these were connected."""
        links = {name: Wire() for name in to}
        self.forwarder.forward(links)
        return [(name, packet) for name, link in links.items() for packet in link.packets]

    def take(self, packet: Packet, brought_by: str) -> bytes:
        """Take an envelope; the receipt, as it goes back."""
        key, content = packet.content[1 : 1 + KEY_BYTES], packet.content[1 + KEY_BYTES :]
        return key + self.incoming.take(content, packet.content[0], brought_by).to_bytes()


def directories(ways: dict[str, str]) -> dict[str, FixedDirectory]:
    """Each peer's directory, with all peers in it."""
    known = {name: KnownPeer(name, KEYS[name].public) for name in ways}
    return {name: FixedDirectory(name, dict(known), ways, Mesh("four mills")) for name in ways}
