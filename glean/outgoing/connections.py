"""A connection to a listed address, to the one that was looked at: over TLS unless private."""

from __future__ import annotations

import http.client
import socket
import ssl

from glean.errors import FederationError
from glean.outgoing.addresses import OutgoingAddress


def connected(address: OutgoingAddress, *, limit_s: float) -> http.client.HTTPConnection:
    """Connect; the caller closes it.

    Parameters
    ----------
    address : OutgoingAddress
        Where to.
    limit_s : float
        Seconds that any step may take.

    Raises
    ------
    FederationError
        Nobody is there, or a name leads to a private address.
    """
    host = address.resolve()
    connection = http.client.HTTPConnection(address.host, address.port, timeout=limit_s)
    try:
        # To the address that was looked at: asked again, the name could lead elsewhere.
        connection.sock = _socket(address, host, limit_s)
    except OSError as error:
        raise FederationError(f"{address.host} doesn't take it: {error}") from error
    return connection


def _socket(address: OutgoingAddress, host: str, limit_s: float) -> socket.socket:
    plain = socket.create_connection((host, address.port), timeout=limit_s)
    if address.scheme == "http":
        return plain
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=address.host)
    except BaseException:
        plain.close()
        raise
