"""A request's body, read whole before it goes on: its signature covers it.

Small ones stay in memory; of large ones a file without a name is read in as it is needed.
"""

from __future__ import annotations

import asyncio
import mmap
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import IO, cast

from starlette.types import Receive, Scope

from glean.service.gateway.refusals import GatewayRefusalError
from glean.service.settings import MEGABYTE

LARGEST = 100 * MEGABYTE
IN_MEMORY = 4 * MEGABYTE

PATIENCE_S, SLOWEST_BYTES_A_S = 15.0, 20_000
"""A body may take so long, and what it takes at so many bytes a second."""

PATIENCE_UNPROVED_S = 60.0
"""What is known to be a member's only afterwards, or never, may take no longer than that."""

_CHUNK = MEGABYTE


class RequestBody:
    """A body that is all there.

    Parameters
    ----------
    content : bytes
        The bytes; of a large one they are mapped in from its file.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __len__(self) -> int:
        """Give its size, bytes."""
        return len(self.content)

    def chunks(self) -> Iterator[bytes]:
        """Give it piece by piece."""
        for begin in range(0, len(self.content), _CHUNK):
            yield self.content[begin : begin + _CHUNK]


def announced_length(scope: Scope) -> int:
    """Read how long a body will be, before it is there.

    Raises
    ------
    GatewayRefusalError
        It doesn't say so, or is too long.
    """
    headers = dict(scope["headers"])
    text = headers.get(b"content-length", b"")
    if b"transfer-encoding" in headers or not text.isdigit() or len(text) > len(str(LARGEST)):
        raise GatewayRefusalError(
            HTTPStatus.LENGTH_REQUIRED, "wanted a body whose Content-Length is given"
        )
    length = int(text)
    if length > LARGEST:
        raise GatewayRefusalError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"found a body of more than {LARGEST // MEGABYTE} MB",
        )
    return length


@asynccontextmanager
async def whole_body(
    receive: Receive, length: int, *, proved: bool = True
) -> AsyncIterator[RequestBody]:
    """Read a body; its file, if it has one, is gone afterwards.

    Parameters
    ----------
    receive : callable
        Gives its parts.
    length : int
        Its size, bytes.
    proved : bool
        Whether its head is a member's for certain.

    Raises
    ------
    GatewayRefusalError
        It comes too slowly, or isn't as long as announced.
    """
    patience = PATIENCE_S + length / SLOWEST_BYTES_A_S
    if not proved:
        patience = min(patience, PATIENCE_UNPROVED_S)
    if length <= IN_MEMORY:
        parts: list[bytes] = []
        await _receive_all(receive, length, parts.append, patience)
        yield RequestBody(b"".join(parts))
        return
    with tempfile.TemporaryFile() as file:
        await _receive_all(receive, length, file.write, patience)
        file.flush()
        with mmap.mmap(cast("IO[bytes]", file).fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            yield RequestBody(cast("bytes", mapped))


async def _receive_all(
    receive: Receive, length: int, take: Callable[[bytes], object], patience: float
) -> None:
    received, more = 0, True
    try:
        async with asyncio.timeout(patience):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ConnectionAbortedError
                part = message.get("body", b"")
                received += len(part)
                if received > length:
                    break
                take(part)
                more = bool(message.get("more_body"))
    except TimeoutError:
        raise GatewayRefusalError(HTTPStatus.REQUEST_TIMEOUT, "the body came too slowly") from None
    if received != length:
        raise GatewayRefusalError(
            HTTPStatus.BAD_REQUEST, "the body isn't as long as its Content-Length says"
        )
