"""Addresses of peers, HOST:PORT, as people type them and invitations carry them."""

from __future__ import annotations

from glean.errors import FederationError

_PORTS = range(1, 65536)


def host_and_port(address: str) -> tuple[str, int]:
    """Take an address apart; of IPv6 the host stands in brackets.

    Raises
    ------
    FederationError
        It is none.

    Examples
    --------
    >>> host_and_port("mill.example:7700")
    ('mill.example', 7700)
    >>> host_and_port("[::1]:7700")
    ('::1', 7700)
    """
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    if not (colon and host and port.isascii() and port.isdecimal() and int(port) in _PORTS):
        raise FederationError(
            f"address of a peer: found {address!r:.120}; wanted HOST:PORT, like 192.0.2.7:7700"
        )
    return host, int(port)
