"""Connections of the gateway to the SuperLink: kept open, and to none but that server."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpcore

from glean.service.gateway.fleet_calls import Headers
from glean.service.gateway.refusals import busy
from glean.service.gateway.request_body import RequestBody

_CONNECTIONS, _IDLE = 64, 8
"""At most, and without work: the pool looks at each idle one with every request."""

_IDLE_S = 3.0
"""Uvicorn closes a connection after 5 s: one that is sent into at that moment would be lost."""

UPSTREAM_ERRORS = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)
"""What goes wrong between the gateway and the SuperLink."""

_TIMEOUTS = {"connect": 5.0, "pool": 10.0, "write": 60.0, "read": 120.0}


class Upstream:
    """The SuperLink, as the gateway speaks to it.

    Parameters
    ----------
    authority : Path
        Certificate by which it is known.
    """

    def __init__(self, authority: Path) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(cafile=authority),
            max_connections=_CONNECTIONS,
            max_keepalive_connections=_IDLE,
            keepalive_expiry=_IDLE_S,
        )

    @asynccontextmanager
    async def send_on(
        self, address: str, path: bytes, headers: Headers, body: RequestBody
    ) -> AsyncIterator[httpcore.Response]:
        """Send a request on; its answer's body is read as it comes.

        Raises
        ------
        GatewayRefusalError
            Nobody answers.
        """
        host, port = address.rsplit(":", 1)
        request = httpcore.Request(
            "POST",
            httpcore.URL(scheme=b"https", host=host.encode(), port=int(port), target=path),
            headers=[
                (b"host", address.encode()),
                *headers,
                (b"content-length", b"%d" % len(body)),
            ],
            content=_sent(body),
            extensions={"timeout": _TIMEOUTS},
        )
        try:
            response = await self._pool.handle_async_request(request)
        except UPSTREAM_ERRORS:
            raise busy("the federation's server doesn't answer just now") from None
        try:
            yield response
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.aclose()


async def _sent(body: RequestBody) -> AsyncIterator[bytes]:
    for part in body.chunks():
        yield part
