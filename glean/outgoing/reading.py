"""A GET of JSON from a listed address: no redirect followed, and limits on its time and size."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any

from glean import __version__
from glean.errors import FederationError
from glean.outgoing.addresses import OutgoingAddress
from glean.outgoing.connections import connected

_PIECE = 2**14
"""Bytes that are read between two looks at the clock."""


def read_json(
    address: OutgoingAddress, query: str, *, limit_s: float = 10.0, largest: int = 2**20
) -> Any:
    """Ask an address with a query, and read its answer as JSON.

    Parameters
    ----------
    address : OutgoingAddress
        Where.
    query : str
        What is asked, encoded, without "?".
    limit_s : float
        Seconds for any step, and for all together.
    largest : int
        Bytes that the answer may have.

    Raises
    ------
    FederationError
        There is no answer, or one that can't be read; says why.
    """
    deadline = time.monotonic() + limit_s
    connection = connected(address, limit_s=limit_s)
    try:
        path = address.path + ("&" if "?" in address.path else "?") + query
        headers = {"Accept": "application/json", "User-Agent": f"glean/{__version__}"}
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise FederationError(f"{address.host} answered {response.status}")
        return json.loads(_body(address, response, deadline, largest))
    except (OSError, http.client.HTTPException) as error:
        raise FederationError(f"{address.host} doesn't answer: {error}") from error
    except (ValueError, RecursionError) as error:
        raise FederationError(f"{address.host} answered what isn't JSON: {error!r:.80}") from error
    finally:
        connection.close()


def _body(
    address: OutgoingAddress, response: http.client.HTTPResponse, deadline: float, largest: int
) -> bytes:
    content = b""
    while piece := response.read1(_PIECE):
        content += piece
        if len(content) > largest:
            raise FederationError(f"{address.host} answered more than {largest:,} bytes")
        if time.monotonic() > deadline:
            raise FederationError(f"{address.host} takes too long to answer")
    return content
