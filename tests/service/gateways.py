"""A gateway that listens, before a stand-in for the SuperLink, and bakeries that speak to it."""

from __future__ import annotations

import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from glean.federation_folder import FederationFolder, federation_folder
from glean.privacy.members import BakeryKeys, new_keys
from glean.privacy.node_key import encoded_node_key
from glean.privacy.request_signature import RequestSigner, sign_request
from glean.service.gateway.fleet_calls import CONTENT_TYPE
from glean.service.gateway.gateway import Gateway
from glean.service.membership.members import Members
from glean.web.connection_limits import ConnectionCounts, limited_protocol
from tests.processes import wait_until
from tests.service.federations import make_federation

PULL = "/v1/fleet/pull-messages"


@dataclass
class RawResponse:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class StandIn:
    """Answers as a SuperLink would: what it gets it notes and sends back."""

    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    answer: bytes | None = None
    address: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for moment in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{moment}.complete"})
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.seen.append((scope["method"], scope["raw_path"].decode(), headers, body))
        answer = body if self.answer is None else self.answer
        sent = [(b"content-type", CONTENT_TYPE), (b"x-inner", b"1"), (b"set-cookie", b"a=b")]
        await send({"type": "http.response.start", "status": 200, "headers": sent})
        for begin in range(0, len(answer), 70_000):
            part = answer[begin : begin + 70_000]
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@dataclass
class Bakery:
    """A member, and how it signs."""

    keys: BakeryKeys
    signer: RequestSigner = field(init=False)

    def __post_init__(self) -> None:
        self.signer = RequestSigner(self.keys.signing_key)

    @property
    def node_headers(self) -> dict[str, str]:
        """What Flower's client sends; the stand-in doesn't check its signature."""
        key = encoded_node_key(self.keys.member.node_key)
        return {
            "content-type": CONTENT_TYPE.decode(),
            "flwr-public-key": b64encode(key).decode(),
            "flwr-signature": "c2lnbmF0dXJl",
            "flwr-timestamp": "2026-11-30T05:00:00+00:00",
        }

    def signed(self, path: str = PULL, body: bytes = b"", method: str = "POST") -> dict[str, str]:
        """All headers of a request."""
        return {**self.node_headers, **sign_request(self.signer, method, path, body)}


@dataclass
class ListeningGateway:
    """A gateway on a port of this machine."""

    folder: FederationFolder
    members: Members
    superlink: StandIn
    inner: list[str]
    port: int

    def context(self) -> ssl.SSLContext:
        """Trusts the federation's authority."""
        return ssl.create_default_context(cafile=self.folder.authority)

    def connect(self, source: str = "127.0.0.1") -> ssl.SSLSocket:
        """Open a connection."""
        line = socket.create_connection(
            ("127.0.0.1", self.port), timeout=30, source_address=(source, 0)
        )
        return self.context().wrap_socket(line, server_hostname="localhost")

    def ask(
        self,
        path: str = PULL,
        *,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        source: str = "127.0.0.1",
    ) -> RawResponse:
        """Send a request, every byte of its path as it is given."""
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
        given = {name.lower() for name in headers or {}}
        if "content-length" not in given and "transfer-encoding" not in given:
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        with self.connect(source) as line:
            line.sendall(head + body)
            return read_answer(line)


def read_answer(line: ssl.SSLSocket) -> RawResponse:
    """Read until the other side closes."""
    content = b""
    while part := line.recv(65536):
        content += part
    head, _, body = content.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (item.partition(":") for item in rest)}
    if headers.get("transfer-encoding") == "chunked":
        body = _joined(body)
    return RawResponse(int(first.split()[1]) if first else 0, headers, body)


def _joined(body: bytes) -> bytes:
    found = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        found, body = found + body[: int(size, 16)], body[int(size, 16) + 2 :]
    return found


@contextmanager
def listening(app: ASGIApp, folder: FederationFolder, **options: Any) -> Iterator[int]:
    """Serve an application by TLS; its port."""
    line = socket.socket()
    line.bind(("127.0.0.1", 0))
    line.listen(2048)
    config = uvicorn.Config(
        app,
        ssl_certfile=folder.certificate,
        ssl_keyfile=folder.private_key,
        log_level="warning",
        lifespan="on",
        ws="none",
        **options,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [line]}, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, "a server", limit_s=5)
        yield int(line.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
        line.close()


@contextmanager
def gateway(results: Path, counts: ConnectionCounts | None = None) -> Iterator[ListeningGateway]:
    """A gateway of a federation, which is made where there is none."""
    folder = federation_folder(results)
    if not folder.facts.exists():
        make_federation(results)
    members = Members(folder)
    members.settle()
    superlink, inner = StandIn(), list[str]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for moment in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{moment}.complete"})
            return
        inner.append(scope["raw_path"].decode("latin-1"))
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b"inner"})

    front = Gateway(app, members=members, superlink=superlink)  # type: ignore[arg-type]
    with listening(superlink, folder) as inside:
        superlink.address = f"127.0.0.1:{inside}"
        protocol = limited_protocol(counts or ConnectionCounts())
        with listening(front, folder, http=protocol) as port:
            yield ListeningGateway(folder, members, superlink, inner, port)


def join(found: ListeningGateway, name: str = "Hafen", *, by_invitation: bool = True) -> Bakery:
    """Take a bakery in."""
    keys = new_keys(name)
    found.members.add(keys.member, by_invitation=by_invitation)
    return Bakery(keys)
