"""Whether a SuperLink can be reached and trusted; if not, the reason and what to do."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from typing import Any

from glean.errors import FederationError

CHECK_S = 10.0
_LOCAL = ":local"


def check_reachable(name: str, connection: Mapping[str, Any]) -> None:
    """Connect to the SuperLink of a connection, and prove it by its certificate.

    Parameters
    ----------
    name : str
        Name of the connection.
    connection : mapping
        Its entries in Flower's configuration.

    Raises
    ------
    FederationError
        Nobody is there, or it isn't the one that the connection trusts; says what to do.
    """
    address = str(connection.get("address", ""))
    if address.startswith(_LOCAL):
        return
    host, _, port = address.removeprefix("https://").removeprefix("http://").rpartition(":")
    if not host or not port.isdigit():
        raise FederationError(
            f"connection {name!r}: found the address {address!r}; wanted HOST:PORT"
        )
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CHECK_S) as line:
            if not connection.get("insecure"):
                _prove(line, host.strip("[]"), connection.get("root-certificates"))
    except ssl.SSLCertVerificationError as error:
        raise FederationError(_distrust(name, address, connection, error)) from error
    except ssl.SSLError as error:
        raise FederationError(
            f"connection {name!r}: the SuperLink at {address} doesn't speak TLS ({error.reason}). "
            "Start it with --ssl-certfile, --ssl-keyfile and --ssl-ca-certfile (docs/deployment.md)"
        ) from error
    except OSError as error:
        raise FederationError(
            f"connection {name!r}: nobody answers at {address} ({error}). Is the SuperLink "
            "running there, and does a firewall let you through?"
        ) from error


def _prove(line: socket.socket, host: str, authority: str | None) -> None:
    try:
        context = ssl.create_default_context(cafile=authority)
    except ssl.SSLError as error:
        raise FederationError(f"root-certificates: {authority} holds no certificate") from error
    except OSError as error:
        raise FederationError(f"root-certificates: {authority} can't be read ({error})") from error
    with context.wrap_socket(line, server_hostname=host):
        pass


def _distrust(
    name: str,
    address: str,
    connection: Mapping[str, Any],
    error: ssl.SSLCertVerificationError,
) -> str:
    trusted = connection.get("root-certificates")
    return (
        f"connection {name!r}: the SuperLink at {address} can't prove who it is "
        f"({error.verify_message}). The connection trusts "
        f"{trusted or 'the authorities of this machine; root-certificates is missing'}: it has to "
        "name the ca.crt of this federation's operator, and the server's certificate has to be "
        "made for this address (glean certificates --host)"
    )
