"""A bakery's own calls to its server: who isn't the server that invited gets nothing."""

from __future__ import annotations

import hashlib
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from glean.federation.node.member_client import (
    MemberClient,
    RegistrationRefusedError,
    fetch_authority,
)
from glean.federation.node.server_errors import (
    ForeignServerError,
    NotAdmittedError,
    UnreachableError,
)
from glean.privacy.certificate_folder import make_certificates
from glean.privacy.key_log import KeyLogError
from glean.privacy.members import new_keys
from glean.privacy.registration import write_registration
from glean.privacy.request_signature import RequestSigner, read_signed
from tests.processes import free_port

KEYS = new_keys("Rue Mouffetard")
WELCOME = {"bakery": "Rue Mouffetard", "federation": "Seine", "release": "0.1.0"}


class Answers:
    """An HTTPS server on loopback that answers what it is told, and keeps what came."""

    def __init__(self, folder: Path) -> None:
        make_certificates(folder, hosts=["127.0.0.1"])
        self.authority = (folder / "ca.crt").read_bytes()
        self.answer: tuple[int, bytes] = (200, b"{}")
        self.came: list[tuple[str, str, dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("content-length", 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.came.append((self.command, self.path, headers, self.rfile.read(length)))
                status, body = outer.answer
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

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

    def says(self, status: int, found: Any) -> None:
        """Set what it answers."""
        self.answer = (status, found if isinstance(found, bytes) else json.dumps(found).encode())

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Answers]:
    """A server."""
    found = Answers(tmp_path / "keys")
    yield found
    found.close()


def fingerprint(pem: bytes) -> bytes:
    """SHA-256 of a certificate in DER, by another way than the code's."""
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    return hashlib.sha256(der).digest()


def test_the_authority_of_the_invitation_is_taken(server: Answers) -> None:
    """And by it the server's own certificate is checked from then on."""
    server.says(200, server.authority)
    assert fetch_authority(server.address, fingerprint(server.authority)) == server.authority


def test_another_authority_is_refused_before_anything_is_sent(server: Answers) -> None:
    """Whoever sits in between: only the question for the certificate reached it."""
    server.says(200, server.authority)
    with pytest.raises(ForeignServerError, match="isn't the server that invited"):
        fetch_authority(server.address, bytes(32))
    assert [(method, path, body) for method, path, _, body in server.came] == [
        ("GET", "/join/ca.crt", b"")
    ]


def test_what_is_no_server_of_glean_is_said_so(server: Answers) -> None:
    """A page, an error, nobody."""
    for status, body in ((200, b"<html>"), (404, b""), (200, b"")):
        server.says(status, body)
        with pytest.raises(UnreachableError):
            fetch_authority(server.address, bytes(32))
    with pytest.raises(UnreachableError, match="nobody answers"):
        fetch_authority(f"127.0.0.1:{free_port()}", bytes(32))


def test_a_server_of_another_authority_gets_no_secret(server: Answers, tmp_path: Path) -> None:
    """TLS fails before the registration is sent."""
    make_certificates(tmp_path / "others", hosts=["127.0.0.1"])
    others = (tmp_path / "others" / "ca.crt").read_bytes()
    registration = write_registration(bytes(16), KEYS)
    with (
        MemberClient(server.address, others) as client,
        pytest.raises(ForeignServerError, match="isn't the server"),
    ):
        client.register(registration)
    assert server.came == []


@pytest.mark.parametrize("status", [404, 409, 410, 422, 429])
def test_a_refusal_is_told_in_the_servers_words(server: Answers, status: int) -> None:
    """Used, expired, forged."""
    server.says(status, {"detail": "this invitation was used already"})
    with (
        MemberClient(server.address, server.authority) as client,
        pytest.raises(RegistrationRefusedError, match="was used already") as caught,
    ):
        client.register(write_registration(bytes(16), KEYS))
    assert caught.value.status == status


def test_members_sign_what_they_ask(server: Answers) -> None:
    """Method, path and query as they travel."""
    server.says(200, {**WELCOME, "key_log": []})
    with MemberClient(server.address, server.authority, RequestSigner(KEYS.signing_key)) as client:
        assert client.membership().federation == "Seine"
        assert client.key_log(3) == ()
    for method, path, headers, body in server.came:
        assert read_signed(headers, method, path, body).signing_key == KEYS.member.signing_key
    assert [path for _, path, _, _ in server.came] == [
        "/v1/members/self",
        "/v1/members/key-log?since=3",
    ]


@pytest.mark.parametrize("status", [401, 403])
def test_who_is_no_member_is_told_so(server: Answers, status: int) -> None:
    """In the server's words."""
    server.says(status, {"detail": "Rue Mouffetard is shut out"})
    with (
        MemberClient(server.address, server.authority, RequestSigner(KEYS.signing_key)) as client,
        pytest.raises(NotAdmittedError, match="is shut out"),
    ):
        client.membership()


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{}", b'{"bakery": 3}', b'{"key_log": 3, "bakery": "A"}', b"\xff"],
)
def test_whatever_a_server_answers_is_told_as_an_error(server: Answers, body: bytes) -> None:
    """Nothing of it breaks a bakery."""
    server.says(200, body)
    with MemberClient(server.address, server.authority, RequestSigner(KEYS.signing_key)) as client:
        for call in (lambda: client.key_log(1), lambda: client.register({})):
            with pytest.raises((UnreachableError, KeyLogError)):
                call()
