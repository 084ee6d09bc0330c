"""What a node has to know of a mesh: who is in it, by which key and where, and who knows whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from glean.privacy.peer_handshake import Mesh
from glean.privacy.peer_identity import PeerKey


@dataclass(frozen=True)
class KnownPeer:
    """A peer of the mesh.

    Parameters
    ----------
    name : str
        Its name in the mesh.
    key : PeerKey
        Its public keys.
    addresses : tuple of str
        Where it listens, as HOST:PORT, the best first; empty where it only connects itself.
    """

    name: str
    key: PeerKey
    addresses: tuple[str, ...] = ()


class PeerDirectory(Protocol):
    """Who is in the mesh now; asked often and by several threads, so answers come from memory."""

    @property
    def mesh(self) -> Mesh:
        """The mesh."""

    @property
    def name(self) -> str:
        """The own name."""

    def peer(self, name: str) -> KnownPeer | None:
        """Give a peer; None where no such one belongs to the mesh (any more)."""

    def neighbours(self, name: str) -> frozenset[str]:
        """Name those whom a peer keeps a connection to, as far as is known."""
