"""TLS and SASL/SCRAM in front of a broker that knows neither: who proves a password is passed on.

Of Kafka's protocol it reads what comes before that: the frames of ApiVersions, which the broker
behind it answers, SaslHandshake and SaslAuthenticate. The exchange is that of RFC 5802.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

from tests.tls_proxy import pass_on

API_VERSIONS, HANDSHAKE, AUTHENTICATE = 18, 17, 36
UNSUPPORTED, AUTHENTICATION_FAILED = 33, 58
_SALT, _ITERATIONS = b"a salt of bakers", 4096
_DIGESTS = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}


@dataclass
class Guests:
    """Who is let in, and by which mechanisms somebody was.

    Parameters
    ----------
    user, password : str
        Of those that are.
    """

    user: str
    password: str
    let_in: list[str] = field(default_factory=list)


@dataclass
class _Scram:
    """The server's half of one exchange."""

    digest: str
    guests: Guests
    said: str = ""
    nonce: str = ""

    def answer(self, content: bytes) -> bytes:
        """Answer the client's first message, or its last one: "v=" where it is proved."""
        text = content.decode()
        return (self._last(text) if self.nonce else self._first(text)).encode()

    def _first(self, text: str) -> str:
        bare = text.partition(",,")[2]
        told = dict(part.split("=", 1) for part in bare.split(","))
        self.nonce, salt = told["r"] + secrets.token_hex(8), base64.b64encode(_SALT).decode()
        challenge = f"r={self.nonce},s={salt},i={_ITERATIONS}"
        self.said = f"{bare},{challenge}"
        return challenge if told["n"] == self.guests.user else "e=unknown-user"

    def _last(self, text: str) -> str:
        without, _, proof = text.rpartition(",p=")
        message = f"{self.said},{without}".encode()
        password = self.guests.password.encode()
        salted = hashlib.pbkdf2_hmac(self.digest, password, _SALT, _ITERATIONS)
        key = self._hmac(salted, b"Client Key")
        signature = self._hmac(hashlib.new(self.digest, key).digest(), message)
        right = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        if base64.b64decode(proof) != right or f"r={self.nonce}" not in without.split(","):
            return "e=invalid-proof"
        own = self._hmac(self._hmac(salted, b"Server Key"), message)
        return f"v={base64.b64encode(own).decode()}"

    def _hmac(self, key: bytes, message: bytes) -> bytes:
        return hmac.new(key, message, self.digest).digest()


@contextmanager
def sasl_proxy(port: int, to: int, folder: Path, guests: Guests) -> Iterator[None]:
    """Listen with the certificate of a folder, and pass on whoever proves the password.

    Parameters
    ----------
    port, to : int
        Where it listens, and whom it passes on to.
    folder : Path
        Of `make_certificates`.
    guests : Guests
        Whom it lets in.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            with (
                suppress(OSError),
                context.wrap_socket(self.request, server_side=True) as inside,
                socket.create_connection(("127.0.0.1", to)) as outside,
            ):
                mechanism = _authenticate(inside, outside, guests)
                if not mechanism:
                    return
                guests.let_in.append(mechanism)
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


def _authenticate(inside: socket.socket, outside: socket.socket, guests: Guests) -> str:
    """Answer until the password is proved, and give the mechanism; "" where it isn't."""
    mechanism, scram = "", None
    while True:
        frame = _frame(inside)
        key, version, correlation, name_length = struct.unpack_from(">hhih", frame)
        body = frame[10 + max(name_length, 0) :]
        if key == API_VERSIONS:
            _send(outside, frame)
            _send(inside, _frame(outside))
        elif key == HANDSHAKE:
            mechanism = body[2:].decode()
            scram = _Scram(_DIGESTS[mechanism], guests) if mechanism in _DIGESTS else None
            names = [struct.pack(">h", len(name)) + name.encode() for name in _DIGESTS]
            head = struct.pack(">ihi", correlation, 0 if scram else UNSUPPORTED, len(names))
            _send(inside, head + b"".join(names))
        elif key == AUTHENTICATE and scram is not None:
            said = scram.answer(body[4:])
            error = AUTHENTICATION_FAILED if said.startswith(b"e=") else 0
            head = struct.pack(">ihhi", correlation, error, -1, len(said))
            _send(inside, head + said + bytes(8 if version else 0))
            if error or said.startswith(b"v="):
                return "" if error else mechanism
        else:
            return ""  # nothing else is answered before


def _send(target: socket.socket, frame: bytes) -> None:
    target.sendall(struct.pack(">i", len(frame)) + frame)


def _frame(source: socket.socket) -> bytes:
    (length,) = struct.unpack(">i", _exactly(source, 4))
    return _exactly(source, length)


def _exactly(source: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        content = source.recv(length - len(found))
        if not content:
            raise ConnectionError("it was closed before")
        found += content
    return found
