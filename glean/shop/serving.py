"""A shop's page on its port, until it is told to end; beside it what looks after plans."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

import uvicorn

from glean.errors import GleanError
from glean.shop.app import create_app
from glean.shop.background import Background
from glean.shop.parts import open_shop
from glean.shop.settings import ShopSettings

LOOPBACK = "127.0.0.1"
MOST_PORTS = 20
"""Ports from the wanted one on that are tried, before any free one is taken."""

_GRACE_S = 3


def serve(settings: ShopSettings, port: int, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Parameters
    ----------
    settings : ShopSettings
        How the page is set up.
    port : int
        Where; the next free one is taken where it is busy, any free one for 0.
    ready : callable
        Told the address once it listens.

    Raises
    ------
    GleanError
        It can't listen, or the home can't be used.
    """
    shop = open_shop(settings)
    open_socket = listen(LOOPBACK, port)
    taken = open_socket.getsockname()[1]
    origins = [f"http://{name}:{taken}" for name in (LOOPBACK, "localhost")]
    background = Background(shop)
    try:
        app = create_app(shop, origins=origins)
        config = uvicorn.Config(
            app,
            server_header=False,
            proxy_headers=False,
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=_GRACE_S,
        )
        background.start()
        ready(f"{origins[0]}/")
        uvicorn.Server(config).run(sockets=[open_socket])
    finally:
        background.close()
        shop.close()
        open_socket.close()


def listen(host: str, port: int) -> socket.socket:
    """Listen at a port, or at the next one that is free.

    Raises
    ------
    GleanError
        There is none.
    """
    wanted = range(port, min(port + MOST_PORTS, 65536)) if port else ()
    for each in (*wanted, 0):
        try:
            return _listen(host, each)
        except OSError as error:
            if each and error.errno in (errno.EADDRINUSE, errno.EACCES):
                continue
            raise GleanError(f"can't listen at {host}, port {each}: {error.strerror}") from error
    raise AssertionError("port 0 is tried last, and taken or refused")


def _listen(host: str, port: int) -> socket.socket:
    found = socket.socket(socket.AF_INET)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen()
    except OSError:
        found.close()
        raise
    return found
