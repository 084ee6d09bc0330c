"""A TCP connection becomes one between two peers that know who the other is."""

from __future__ import annotations

import socket
import time
from contextlib import suppress

from glean.errors import FederationError
from glean.mesh.addresses import host_and_port
from glean.mesh.frames import read_frame, write_frame
from glean.mesh.mesh_limits import MeshLimits
from glean.mesh.peer_connection import PeerConnection
from glean.privacy.peer_handshake import Mesh, PeerHandshake
from glean.privacy.peer_identity import PeerIdentity

_KEEPALIVE_S = 30
_TCP_THIN_LINEAR_TIMEOUTS = 16
"""Linux's number, which `socket` has no name for."""

_MOST_BYTES = 8192
"""Of a message of the handshake: a name, a key and two signatures have a fifth of that."""


class UnreachableError(FederationError):
    """Nobody answers at an address."""


def dial(
    address: str,
    identity: PeerIdentity,
    name: str,
    mesh: Mesh,
    *,
    expected: str,
    limits: MeshLimits,
) -> PeerConnection:
    """Connect to the peer that has a key.

    Parameters
    ----------
    address : str
        HOST:PORT.
    identity, name, mesh : PeerIdentity, str and Mesh
        Who this is, and in which mesh.
    expected : str
        The other's signing key, or its fingerprint.
    limits : MeshLimits
        Time-outs.

    Raises
    ------
    UnreachableError
        Nobody answers there, or not in time.
    FederationError
        Who answers isn't that peer; or the address is none.
    """
    place = host_and_port(address)
    handshake = PeerHandshake(identity, name, mesh, initiator=True, expected=expected)
    try:
        connection = socket.create_connection(place, timeout=limits.connect_s)
    except (OSError, UnicodeError) as error:  # the second where a name of a host can't be one
        raise UnreachableError(
            f"{address} can't be reached: {_words_of(error)}; wanted a peer that listens "
            "there: is it up, and does a firewall let this port through?"
        ) from error
    return _shaken(connection, handshake, limits, address)


def answer(
    connection: socket.socket,
    identity: PeerIdentity,
    name: str,
    mesh: Mesh,
    *,
    limits: MeshLimits,
) -> PeerConnection:
    """Take a connection that somebody opened; who that is, the connection's `remote` says.

    Raises
    ------
    UnreachableError
        The other side doesn't say who it is in time.
    FederationError
        It isn't who it says.
    """
    handshake = PeerHandshake(identity, name, mesh, initiator=False)
    return _shaken(connection, handshake, limits, "a peer that connected")


def _shaken(
    connection: socket.socket, handshake: PeerHandshake, limits: MeshLimits, who: str
) -> PeerConnection:
    """Exchange the handshake; the socket is closed where that fails."""
    try:
        _watch(connection)
        _exchange(connection, handshake, time.monotonic() + limits.handshake_s)
    except OSError as error:
        connection.close()
        raise UnreachableError(
            f"{who} broke off while saying who it is: {error.strerror or error}; wanted a peer of "
            "this mesh"
        ) from error
    except BaseException:
        connection.close()
        raise
    assert handshake.remote is not None, "the last message said who it is"
    dialed = handshake.initiator
    return PeerConnection(
        connection, handshake.split(), handshake.remote, dialed=dialed, limits=limits
    )


def _exchange(connection: socket.socket, handshake: PeerHandshake, deadline: float) -> None:
    writes = handshake.initiator
    while not handshake.over:
        if writes:
            connection.settimeout(max(0.01, deadline - time.monotonic()))
            write_frame(connection, handshake.write())
        else:
            handshake.read(read_frame(connection, deadline=deadline, most=_MOST_BYTES))
        writes = not writes


def _words_of(error: OSError | UnicodeError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _watch(connection: socket.socket) -> None:
    """Let what is small go at once, and the kernel too notice a machine that vanished."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with suppress(OSError, AttributeError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_S)
        # What is lost again isn't waited for twice as long each time: on a bad line, a few bytes
        # would otherwise take minutes.
        connection.setsockopt(socket.IPPROTO_TCP, _TCP_THIN_LINEAR_TIMEOUTS, 1)
