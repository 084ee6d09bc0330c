"""An HTTP server on this machine that answers as a test says, and keeps what it was asked."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class AnsweringServer:
    """A provider.

    Parameters
    ----------
    content : bytes
        What it answers.
    status : int
        With which status.
    location : str
        Where it redirects to.
    pause_s : float
        Seconds between the bytes of its answer.
    """

    def __init__(
        self, content: bytes, *, status: int = 200, location: str = "", pause_s: float = 0.0
    ) -> None:
        self.content, self.asked = content, list[str]()
        self._ended = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                self.send_response(status)
                if location:
                    self.send_header("Location", location)
                self.end_headers()
                for byte in server.content if pause_s else ():
                    if server._ended.wait(pause_s):
                        return
                    try:
                        self.wfile.write(bytes([byte]))
                    except OSError:
                        return
                if not pause_s:
                    self.wfile.write(server.content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/forecast"

    def end(self) -> None:
        """Stop listening."""
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def answering(content: bytes | dict[str, Any], **said: Any) -> Iterator[AnsweringServer]:
    """A server for as long as a test needs it."""
    written = content if isinstance(content, bytes) else json.dumps(content).encode()
    server = AnsweringServer(written, **said)
    try:
        yield server
    finally:
        server.end()


def open_meteo(
    first: dt.date, warmth: list[float | None], rain: list[float | None]
) -> dict[str, Any]:
    """An answer in Open-Meteo's format."""
    days = [f"{first + dt.timedelta(days=k)}" for k in range(len(warmth))]
    return {
        "latitude": 53.6,
        "longitude": 10.0,
        "daily_units": {"time": "iso8601", "temperature_2m_mean": "°C", "precipitation_sum": "mm"},
        "daily": {"time": days, "temperature_2m_mean": warmth, "precipitation_sum": rain},
    }
