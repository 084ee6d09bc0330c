"""One alert to one address: a POST of JSON that follows no redirect and waits for seconds only."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Mapping

from glean import __version__
from glean.errors import FederationError
from glean.service.alerts.addresses import WebhookAddress

LIMIT_S = 10.0


def deliver(address: WebhookAddress, alert: Mapping[str, str]) -> None:
    """Send an alert.

    Parameters
    ----------
    address : WebhookAddress
        Where to.
    alert : mapping of str to str
        What it says.

    Raises
    ------
    FederationError
        It wasn't taken; says why.
    """
    host = address.resolve()
    connection = http.client.HTTPConnection(address.host, address.port, timeout=LIMIT_S)
    try:
        # To the address that was looked at: asked again, the name could lead elsewhere.
        connection.sock = _connected(address, host)
        body = json.dumps(dict(alert)).encode()
        headers = {"Content-Type": "application/json", "User-Agent": f"glean/{__version__}"}
        connection.request("POST", address.path, body, headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise FederationError(f"{address.host} doesn't take it: {error}") from error
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise FederationError(f"{address.host} answered {status}")


def _connected(address: WebhookAddress, host: str) -> socket.socket:
    plain = socket.create_connection((host, address.port), timeout=LIMIT_S)
    if address.scheme == "http":
        return plain
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=address.host)
    except BaseException:
        plain.close()
        raise
