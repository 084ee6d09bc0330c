"""Real stores on loopback for tests: S3 by moto's server, WebDAV by WsgiDAV; and a way to them that
can be cut, held up and put right again.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.processes import free_port, wait_until

S3_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing-key",
    "AWS_SECRET_ACCESS_KEY": "testing-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}
WEBDAV_CREDENTIALS = {"WEBDAV_USERNAME": "anna", "WEBDAV_PASSWORD": "not-told-to-anybody"}
BUCKET = "bakeries"

_WEBDAV_SERVER = """
import sys
from cheroot import wsgi
from wsgidav.wsgidav_app import WsgiDAVApp

folder, port, user, password = sys.argv[1:]
app = WsgiDAVApp({
    "provider_mapping": {"/": folder},
    "simple_dc": {"user_mapping": {"*": {user: {"password": password}}}},
    "http_authenticator": {
        "accept_basic": True, "accept_digest": False, "default_to_digest": False,
    },
    "verbose": 0,
    "logging": {"enable": False},
})
wsgi.Server(("127.0.0.1", int(port)), app).start()
"""


class S3Server:
    """moto's server in a process of its own, which can be killed and started again, empty."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        return {**S3_CREDENTIALS, "AWS_ENDPOINT_URL": self.endpoint}

    def start(self) -> None:
        """Start it and make its bucket, as whoever keeps it does."""
        words = ("-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port))
        self._process = _started(*words)
        _await_listener(self._process, self.port)
        self.make_bucket()

    def make_bucket(self) -> None:
        from glean.storage.store import open_storage

        open_storage(f"s3://{BUCKET}").filesystem.mkdir(BUCKET)

    def kill(self) -> None:
        """As `kill -9` does: moto keeps what it has in its memory, so all of it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def s3_server(patch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """moto's server until the end of the body; this process's environment leads to it."""
    pytest.importorskip("moto.server", reason="needs moto[server]")
    pytest.importorskip("s3fs", reason="needs glean[storage]")
    server = S3Server()
    for name, value in server.environment.items():
        patch.setenv(name, value)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextmanager
def webdav_server(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[str]:
    """A WebDAV server over a folder, with a password; the URL that Glean takes."""
    pytest.importorskip("wsgidav", reason="needs WsgiDAV and cheroot")
    pytest.importorskip("webdav4", reason="needs glean[storage]")
    for name, value in WEBDAV_CREDENTIALS.items():
        patch.setenv(name, value)
    port = free_port()
    process = _started("-c", _WEBDAV_SERVER, str(folder), str(port), *WEBDAV_CREDENTIALS.values())
    try:
        _await_listener(process, port)
        yield f"webdav+http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


class Way:
    """A TCP port that leads to another one: open, closed, or held up, also after some bytes."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = free_port()
        self.hangs = threading.Event()
        self.left: int | None = None
        """How many bytes may still go up before the way is closed; None: any number."""
        self._open: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self.come = 0

    def open(self) -> None:
        self.left = None
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """Close it, and cut off what is under way."""
        listener, self._listener = self._listener, None
        if listener is not None:
            _shut(listener)
        for each in self._open:
            _shut(each)
        self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                here, _ = listener.accept()
                there = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            self.come += 1
            self._open += [here, there]
            for source, sink, up in ((here, there, True), (there, here, False)):
                threading.Thread(target=self._carry, args=(source, sink, up), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, up: bool) -> None:
        try:
            while piece := source.recv(2**14):
                while self.hangs.is_set():
                    time.sleep(0.01)
                if up and self.left is not None:
                    self.left -= len(piece)
                    if self.left < 0:
                        self.close()
                        return
                sink.sendall(piece)
        except OSError:
            pass
        finally:
            _shut(sink)


@contextmanager
def way_to(port: int) -> Iterator[Way]:
    """An open way to a port, closed at the end of the body."""
    way = Way(port)
    way.open()
    try:
        yield way
    finally:
        way.hangs.clear()
        way.close()


def _shut(found: socket.socket) -> None:
    for end in (lambda: found.shutdown(socket.SHUT_RDWR), found.close):
        _quietly(end)


def _quietly(what: Callable[[], Any]) -> None:
    with suppress(OSError):
        what()


def _started(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *words],
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _await_listener(process: subprocess.Popen[bytes], port: int) -> None:
    def listens() -> bool:
        assert process.poll() is None, "the server ended before it listened"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(listens, f"a server listens on port {port}", limit_s=60)
