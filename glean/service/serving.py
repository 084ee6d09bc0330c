"""A service on its port, served by Uvicorn until it is told to end."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from glean.errors import GleanError, SettingsError
from glean.observability.json_logs import logs_json
from glean.service.accounts.scopes import Scope
from glean.service.app import create_app
from glean.service.services import Services, adopt_folder, open_services
from glean.service.serving_file import only_service, serving_file
from glean.service.settings import DEFAULT_HOST, DEFAULT_PORT, ServiceSettings
from glean.web.connection_limits import ConnectionCounts, allow_many_files, limited_protocol

FIRST_TOKEN = "first token"  # noqa: S105 # nosec B105 # a name

_GRACE_S = 5

_KEEP_ALIVE_S = 15
"""Longer than clients keep a connection, or they would send into one that is just closed."""


@dataclass(frozen=True)
class Listening:
    """Where a service listens, and who may reach it.

    Parameters
    ----------
    host : str
        Name or address; only the machine's own unless by TLS or behind a proxy.
    port : int
        0 takes a free one.
    certificate, private_key : Path, optional
        For TLS, as PEM files.
    behind_proxy : bool
        Whether a proxy on this machine speaks TLS for it and names the true client.
    public : bool
        Whether strangers reach it: connections have limits then.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    certificate: Path | None = None
    private_key: Path | None = None
    behind_proxy: bool = False
    public: bool = False

    @property
    def by_tls(self) -> bool:
        """Whether browsers reach it by HTTPS only."""
        return self.certificate is not None or self.behind_proxy

    def check(self) -> None:
        """Refuse what would let tokens travel in the clear.

        Raises
        ------
        SettingsError
            Says what is missing.
        """
        if (self.certificate is None) != (self.private_key is None):
            raise SettingsError(
                "--certificate and --private-key go together: wanted both or neither"
            )
        if not self.by_tls and not _is_loopback(self.host):
            raise SettingsError(
                f"--host: found {self.host!r} without TLS, where tokens would travel in the clear; "
                "wanted --certificate and --private-key, or --behind-proxy with a proxy that "
                f"speaks TLS, or --host {DEFAULT_HOST}"
            )


def initialise(settings: ServiceSettings) -> str | None:
    """Make the first token of a service, which may do everything; None where there is one already.

    Raises
    ------
    GleanError
        The database or the folder of the results can't be used.
    """
    services = open_services(settings)
    try:
        if services.tokens.any_admin():
            return None
        row, text = services.tokens.create(FIRST_TOKEN, Scope.ADMIN)
        services.audit_log.note("glean serve --init", "token.create", row.id)
        return text
    finally:
        _put_away(services)


def rebuild(settings: ServiceSettings) -> int:
    """Make the list of runs anew from the disk; how many there are."""
    adopt_folder(settings)
    services = open_services(settings)
    try:
        return services.discovery.rebuild()
    finally:
        _put_away(services)


def serve(settings: ServiceSettings, listening: Listening, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Parameters
    ----------
    settings : ServiceSettings
        How the service is set up.
    listening : Listening
        Where.
    ready : callable
        Told the address once it listens.

    Raises
    ------
    GleanError
        It can't listen there, or can't use its database or folder.
    """
    listening.check()
    with only_service(settings.home):
        _serve(settings, listening, ready)


def _serve(settings: ServiceSettings, listening: Listening, ready: Callable[[str], None]) -> None:
    services = open_services(settings)
    open_socket = _listen(listening)
    try:
        app = create_app(services)
        server = uvicorn.Server(_config(app, listening))
        address = _address(listening, open_socket)
        ready(address)
        with serving_file(settings.home, address):
            server.run(sockets=[open_socket])
    finally:
        open_socket.close()


def _config(app: object, listening: Listening) -> uvicorn.Config:
    limits: dict[str, Any] = {}
    if listening.public:
        allow_many_files()
        counts = ConnectionCounts()
        if listening.behind_proxy:
            counts.of_address = counts.in_all  # they all come from the proxy's
        limits["http"] = limited_protocol(counts)
        limits["loop"] = "glean.web.connection_limits:new_loop"
        limits["timeout_keep_alive"] = _KEEP_ALIVE_S
    if logs_json():
        limits["log_config"] = None  # its lines go where all go
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        **limits,
        ssl_certfile=listening.certificate,
        ssl_keyfile=listening.private_key,
        proxy_headers=listening.behind_proxy,
        # By uvicorn's own variable: a proxy needn't be on this machine, as an ingress isn't.
        forwarded_allow_ips=os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1"),
        server_header=False,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=_GRACE_S,
        ws_max_size=64 * 1024,
        # Events are short; to compress them would take a quarter of a megabyte a watcher.
        ws_per_message_deflate=False,
    )


def _listen(listening: Listening) -> socket.socket:
    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    found = socket.socket(family)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((listening.host, listening.port))
        # From here on a client's first request waits for an answer, and isn't refused.
        found.listen()
    except OSError as error:
        found.close()
        raise GleanError(
            f"can't listen at {listening.host}, port {listening.port}: {error.strerror}; is a "
            "service there already? --port takes another one"
        ) from error
    return found


def _address(listening: Listening, open_socket: socket.socket) -> str:
    host = f"[{listening.host}]" if ":" in listening.host else listening.host
    scheme = "https" if listening.certificate else "http"
    return f"{scheme}://{host}:{open_socket.getsockname()[1]}/"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _put_away(services: Services) -> None:
    services.workers.close()
    services.database.close()
