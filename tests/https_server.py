"""A small HTTPS server on loopback, with an authority of its own, that answers by a function."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from glean.privacy.certificate_folder import make_certificates


@dataclass(frozen=True)
class Came:
    """A request that came."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class HttpResponse:
    """What goes back; nothing does where the connection is dropped."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    dropped: bool = False


class HttpsServer:
    """Serves until it is closed, and keeps what came."""

    def __init__(self, folder: Path, answer: Callable[[Came], HttpResponse]) -> None:
        make_certificates(folder, hosts=["127.0.0.1"])
        self.folder = folder
        self.authority = (folder / "ca.crt").read_bytes()
        self.came: list[Came] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("content-length", 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Came(self.command, self.path, headers, self.rfile.read(length))
                outer.came.append(request)
                found = answer(request)
                if found.dropped:
                    self.close_connection = True
                    return
                self.send_response(found.status)
                for name, value in {**found.headers, "content-length": len(found.body)}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(found.body)

            do_POST = do_GET  # noqa: N815 # the name that http.server looks for

            def log_message(self, *_: object) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
