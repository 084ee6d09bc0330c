"""A shop's page on its port, until it is told to end; beside it what looks after plans."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import uvicorn

from glean.errors import GleanError
from glean.shop.app import create_app
from glean.shop.background import Background
from glean.shop.lan.addresses import lan_hosts
from glean.shop.lan.certificate import HomeCertificate
from glean.shop.lan.token import DeviceToken, entry_link
from glean.shop.parts import Lan, Shop, open_shop
from glean.shop.settings import ShopSettings
from glean.web.connection_limits import ConnectionCounts, limited_protocol
from glean.web.qr_code import qr_text

LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"  # noqa: S104 # nosec B104 # asked for by --lan, and nothing answers strangers
OWN_NAMES = (LOOPBACK, "localhost")
MOST_PORTS = 20
"""Ports from the wanted one on that are tried, before any free one is taken."""

MOST_OF_A_DEVICE, MOST_CONNECTIONS = 30, 200
"""Open connections with --lan: a browser has six at once, and a shop few devices."""

_GRACE_S = 3


@dataclass(frozen=True)
class Address:
    """Where a page is.

    Parameters
    ----------
    link : str
        What opens it; with the token where other machines may.
    code : str
        The link as a QR code for a terminal; "" where only this machine may.
    """

    link: str
    code: str = ""


def serve(settings: ShopSettings, port: int, ready: Callable[[Address], None]) -> None:
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
    open_socket = listen(EVERYWHERE if settings.lan else LOOPBACK, port)
    try:
        _serve_at(shop, open_socket, ready)
    finally:
        shop.close()
        open_socket.close()


def _serve_at(shop: Shop, open_socket: socket.socket, ready: Callable[[Address], None]) -> None:
    port = open_socket.getsockname()[1]
    origins = [f"http://{name}:{port}" for name in OWN_NAMES]
    if shop.settings.lan:
        shop = replace(shop, lan=_open_lan(shop, port))
    lan = shop.lan
    app = create_app(
        shop,
        origins=origins if lan is None else lan.origins,
        token=None if lan is None else lan.token,
    )
    limits: dict[str, Any] = {}
    if lan is not None:
        limits["http"] = limited_protocol(ConnectionCounts(MOST_OF_A_DEVICE, MOST_CONNECTIONS))
        limits["loop"] = "glean.web.connection_limits:new_loop"
    config = uvicorn.Config(
        app,
        **limits,
        ssl_certfile=None if lan is None else lan.certificate.certificate,
        ssl_keyfile=None if lan is None else lan.certificate.private_key,
        server_header=False,
        proxy_headers=False,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=_GRACE_S,
    )
    background = Background(shop)
    background.start()
    try:
        ready(_address(origins[0], lan))
        uvicorn.Server(config).run(sockets=[open_socket])
    finally:
        background.close()


def _open_lan(shop: Shop, port: int) -> Lan:
    """Make what the shop's network needs: a certificate for all names, and a token."""
    hosts = [*lan_hosts(), *OWN_NAMES]
    certificate = HomeCertificate(shop.settings.folder / "tls")
    certificate.vouch_for(hosts, shop.today)
    origins = tuple(f"https://{host}:{port}" for host in hosts)
    return Lan(origins, DeviceToken(shop.settings.folder / "token"), certificate)


def _address(origin: str, lan: Lan | None) -> Address:
    if lan is None:
        return Address(f"{origin}/")
    link = entry_link(lan.origins[0], lan.token())
    return Address(link, qr_text(link))


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
