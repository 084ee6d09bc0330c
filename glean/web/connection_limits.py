"""Limits on connections, below HTTP: how many from one address, and how long one may say nothing.

Uvicorn waits without end for a request that doesn't come or isn't finished, and has no limit by
address: a thousand such connections would keep the bakeries out.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, cast

from uvicorn.protocols.http.auto import AutoHTTPProtocol

REQUEST_S = 10.0
"""How long the head of a request may take, from the connection or its first byte on."""

LARGEST_HEAD = 64 * 1024
BODY_LOOK_S, LEAST_BYTES_A_S = 15.0, 1000
"""How often a body that isn't whole is looked at, and how fast it has to come."""

HANDSHAKE_S = 10.0
_FILES = 16_384


@dataclass
class ConnectionCounts:
    """Connections that are open, by the address of the other side.

    Parameters
    ----------
    of_address : int
        So many may come from one address: all bakeries of a street, or of a rehearsal.
    in_all : int
        So many at all.
    """

    of_address: int = 250
    in_all: int = 2000
    open: Counter[str] = field(default_factory=Counter)

    def take(self, address: str) -> bool:
        """Count one, if there may be one more."""
        if self.open[address] >= self.of_address or self.open.total() >= self.in_all:
            return False
        self.open[address] += 1
        return True

    def give_back(self, address: str) -> None:
        """Count one less."""
        self.open[address] -= 1
        if not self.open[address]:
            del self.open[address]


def limited_protocol(counts: ConnectionCounts) -> type[asyncio.Protocol]:
    """Make Uvicorn's protocol with limits, of one server."""
    return cast("type[asyncio.Protocol]", type("Limited", (_Limited,), {"counts": counts}))


class _Limited(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """A connection; its attributes are those of Uvicorn's protocols, whichever is installed."""

    counts: ConnectionCounts

    def connection_made(self, transport: asyncio.Transport) -> None:
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if peer else ""
        self._open = self.counts.take(self._address)
        self._received = self._looked = 0
        self._head_began = False
        self._timer: asyncio.TimerHandle | None = None
        if not self._open:
            transport.abort()
            return
        super().connection_made(transport)
        self._look_in(REQUEST_S)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._open:
            self._release()
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._open:
            return
        if not self._at_work() and not self._head_began:
            self._received = self._looked = 0
            self._head_began = True
            self._look_in(REQUEST_S)
        self._received += len(data)
        super().data_received(data)
        if self._at_work():
            self._head_began = False
        elif self._open and self._received > LARGEST_HEAD:
            self.transport.abort()

    def handle_websocket_upgrade(self, *arguments: Any) -> None:
        # Another protocol takes it over, which this one doesn't see the end of.
        self._release()
        super().handle_websocket_upgrade(*arguments)

    def _at_work(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _look_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        if not self._at_work():
            if self._head_began or self.timeout_keep_alive_task is None:
                self.transport.abort()
            return
        came, self._looked = self._received - self._looked, self._received
        waits_for_us = self.flow.read_paused or not self.cycle.more_body
        if not waits_for_us and came < BODY_LOOK_S * LEAST_BYTES_A_S:
            self.transport.abort()
            return
        self._look_in(BODY_LOOK_S)

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._open:
            self._open = False
            self.counts.give_back(self._address)


def new_loop() -> asyncio.AbstractEventLoop:
    """Make a loop whose servers wait for a TLS handshake for some seconds, and not for a minute."""
    try:
        from uvloop import Loop
    except ImportError:
        from asyncio import SelectorEventLoop as Loop  # type: ignore[assignment]

    class _Impatient(Loop):
        async def create_server(self, *arguments: Any, **options: Any) -> Any:
            if options.get("ssl") is not None:
                options.setdefault("ssl_handshake_timeout", HANDSHAKE_S)
            return await super().create_server(*arguments, **options)

    return cast("asyncio.AbstractEventLoop", _Impatient())


def allow_many_files() -> None:
    """Let this process have as many connections open as the limits say, where it may."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
