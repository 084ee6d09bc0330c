"""TLS in front of a server that speaks none: on loopback, with an authority of the test's own."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

_AT_ONCE = 65536


@contextmanager
def tls_proxy(port: int, to: int, folder: Path, *, lets_in: Path | None = None) -> Iterator[None]:
    """Listen with the certificate in a folder of `glean certificates`, and pass on what comes.

    Parameters
    ----------
    port, to : int
        Where it listens, and whom it passes on to.
    folder : Path
        Of `make_certificates`.
    lets_in : Path or None
        The certificate that who comes has to have; by default none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    if lets_in is not None:
        context.load_verify_locations(lets_in)
        context.verify_mode = ssl.CERT_REQUIRED

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            with (
                suppress(OSError),
                context.wrap_socket(self.request, server_side=True) as inside,
                socket.create_connection(("127.0.0.1", to)) as outside,
            ):
                other = threading.Thread(target=pass_on, args=(outside, inside), daemon=True)
                other.start()
                pass_on(inside, outside)
                other.join()

    class Server(ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def pass_on(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes until one of them closes."""
    with suppress(OSError):
        while content := source.recv(_AT_ONCE):
            target.sendall(content)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
