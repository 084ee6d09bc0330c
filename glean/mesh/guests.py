"""Guests: who isn't in the mesh, or not known here yet, may ask the few things that are for guests.

So somebody joins, with an invitation, over the same port and the same handshake.
"""

from __future__ import annotations

import logging
import threading
import time

from glean.errors import FederationError
from glean.mesh.connecting import dial
from glean.mesh.frames import Packet, PacketKind
from glean.mesh.live_calls import LiveCalls
from glean.mesh.mesh_limits import MeshLimits
from glean.mesh.peer_connection import PeerConnection
from glean.privacy.peer_handshake import Mesh
from glean.privacy.peer_identity import PeerIdentity

LOG = logging.getLogger(__name__)

_MOST_BYTES = 64 * 1024
_STAY_S = 60.0
_ENOUGH_S = 5.0
"""After that a guest makes room where others wait."""


class Guests:
    """Connections of guests, few at a time and for a short while.

    Parameters
    ----------
    calls : LiveCalls
        Who answers them.
    limits : MeshLimits
        How many.
    """

    def __init__(self, calls: LiveCalls, *, limits: MeshLimits) -> None:
        self._calls, self._most = calls, limits.most_handshakes
        self._lock = threading.Lock()
        self._here: set[PeerConnection] = set()
        self._stopped = False

    def add(self, connection: PeerConnection) -> None:
        """Take a connection whose other side isn't known as a peer."""
        with self._lock:
            if self._stopped or not self._has_room():
                connection.discard("too many guests: come again later")
                return
            self._here.add(connection)
        connection.start(self._taken, self._ended, most_bytes=_MOST_BYTES)

    def _has_room(self) -> bool:
        """Whether there is room for one more: one that has had time enough makes it."""
        if len(self._here) < self._most:
            return True
        oldest = min(self._here, key=lambda connection: connection.opened_at)
        if time.monotonic() - oldest.opened_at < _ENOUGH_S:
            return False
        self._here.discard(oldest)
        oldest.close("other guests wait")
        return True

    def close_late(self) -> None:
        """Close the connections of those who have been here too long."""
        late = time.monotonic() - _STAY_S
        for connection in self._all():
            if connection.opened_at < late:
                connection.close("a guest stays for a minute at most")

    def stop(self) -> None:
        """Close all of them."""
        self._stopped = True
        for connection in self._all():
            connection.close("this peer stops")
            connection.join(_STAY_S)

    def _all(self) -> list[PeerConnection]:
        with self._lock:
            return list(self._here)

    def _taken(self, connection: PeerConnection, packet: Packet) -> None:
        if packet.kind is not PacketKind.ASK:
            raise FederationError(
                f"{connection.name!r} isn't known here as a peer of the mesh by this key (yet)"
            )
        self._calls.take(connection, packet, member=False)

    def _ended(self, connection: PeerConnection, reason: str) -> None:
        LOG.info("mesh: guest %s has gone: %s", connection.name, reason)
        with self._lock:
            self._here.discard(connection)


def ask_as_guest(
    address: str,
    kind: str,
    body: bytes,
    *,
    identity: PeerIdentity,
    name: str,
    mesh: Mesh,
    expected: str,
    limits: MeshLimits | None = None,
) -> bytes:
    """Ask a peer something without belonging to its mesh.

    Parameters
    ----------
    address, kind, body : str, str and bytes
        Whom, for what, and the question.
    identity, name, mesh : PeerIdentity, str and Mesh
        Who asks, and the mesh that the other one belongs to.
    expected : str
        The other's signing key, or its fingerprint.
    limits : MeshLimits or None
        Time-outs.

    Raises
    ------
    FederationError
        The peer can't be reached, is another one, or refuses.
    """
    limits = limits or MeshLimits()
    calls = LiveCalls()
    try:
        connection = dial(address, identity, name, mesh, expected=expected, limits=limits)
        connection.start(lambda c, p: calls.take(c, p, member=False), calls.ended)
        try:
            return calls.ask(connection, kind, body, limits.handshake_s)
        finally:
            connection.close("that was all")
            connection.join(limits.idle_s)
    finally:
        calls.close()
