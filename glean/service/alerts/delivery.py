"""One alert to one address: a POST of JSON that follows no redirect and waits for seconds only."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping

from glean import __version__
from glean.errors import FederationError
from glean.outgoing.addresses import OutgoingAddress
from glean.outgoing.connections import connected

LIMIT_S = 10.0


def deliver(address: OutgoingAddress, alert: Mapping[str, str]) -> None:
    """Send an alert.

    Parameters
    ----------
    address : OutgoingAddress
        Where to.
    alert : mapping of str to str
        What it says.

    Raises
    ------
    FederationError
        It wasn't taken; says why.
    """
    connection = connected(address, limit_s=LIMIT_S)
    try:
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
