"""A bakery's own calls to its server: who isn't the server that invited gets nothing."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from glean.errors import CertificateError
from glean.federation.node.member_client import (
    MemberClient,
    RegistrationRefusedError,
)
from glean.federation.node.server_errors import (
    ForeignServerError,
    NotAdmittedError,
    UnreachableError,
)
from glean.federation.node.server_facts import fetch_facts
from glean.privacy.certificate_folder import make_certificates
from glean.privacy.members import new_keys
from glean.privacy.registration import write_registration
from glean.privacy.request_signature import RequestSigner, read_signed
from tests.https_server import HttpResponse, HttpsServer
from tests.processes import free_port

KEYS = new_keys("Rue Mouffetard")
WELCOME = {"bakery": "Rue Mouffetard", "federation": "Seine", "release": "0.1.0"}


class Answers(HttpsServer):
    """Answers what it is told."""

    def __init__(self, folder: Path) -> None:
        self.answer = HttpResponse(body=b"{}")
        super().__init__(folder, lambda _: self.answer)

    def says(self, status: int, found: Any) -> None:
        """Set what it answers."""
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        self.answer = HttpResponse(status, body)


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
    found = fetch_facts(server.address, fingerprint(server.authority))
    assert found.authority == server.authority
    assert found.time is not None
    assert abs(dt.datetime.now(dt.UTC) - found.time) < dt.timedelta(seconds=30)
    assert found.release == ""


def test_another_authority_is_refused_before_anything_is_sent(server: Answers) -> None:
    """Whoever sits in between: only the question for the certificate reached it."""
    server.says(200, server.authority)
    with pytest.raises(ForeignServerError, match="isn't the server that invited"):
        fetch_facts(server.address, bytes(32))
    assert [(r.method, r.target, r.body) for r in server.came] == [("GET", "/join/ca.crt", b"")]


def test_nothing_else_that_comes_with_it_is_trusted(server: Answers, tmp_path: Path) -> None:
    """Somebody in between adds an authority of their own to the right one, before it or after."""
    make_certificates(tmp_path / "others", hosts=["127.0.0.1"])
    other = (tmp_path / "others" / "ca.crt").read_bytes()
    for both in (server.authority + other, other + server.authority):
        server.says(200, both)
        found = fetch_facts(server.address, fingerprint(server.authority))
        assert found.authority.strip() == server.authority.strip()


def test_an_answer_without_end_is_cut_off(server: Answers) -> None:
    """It is no certificate, however long."""
    server.says(200, b"-" * 200_000)
    with pytest.raises(UnreachableError):
        fetch_facts(server.address, bytes(32))


def test_what_a_server_says_can_not_speak_to_the_terminal(server: Answers) -> None:
    """Escapes are written out, and a name with them is none."""
    server.says(410, {"detail": "gone\x1b[2J"})
    with (
        MemberClient(server.address, server.authority, RequestSigner(KEYS.signing_key)) as client,
        pytest.raises(RegistrationRefusedError) as caught,
    ):
        client.register(write_registration(bytes(16), KEYS))
    assert str(caught.value) == "gone\\x1b[2J"
    with MemberClient(server.address, server.authority, RequestSigner(KEYS.signing_key)) as client:
        server.says(200, {**WELCOME, "federation": "Seine\x1b[2J"})
        assert client.membership().federation == "Seine\\x1b[2J"
        server.says(200, {**WELCOME, "bakery": "Hafen\x1b[2J"})
        with pytest.raises(CertificateError):
            client.membership()


def test_what_is_no_server_of_glean_is_said_so(server: Answers) -> None:
    """A page, an error, nobody."""
    for status, body in ((200, b"<html>"), (404, b""), (200, b"")):
        server.says(status, body)
        with pytest.raises(UnreachableError):
            fetch_facts(server.address, bytes(32))
    with pytest.raises(UnreachableError, match="nobody answers"):
        fetch_facts(f"127.0.0.1:{free_port()}", bytes(32))


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
    for r in server.came:
        found = read_signed(r.headers, r.method, r.target, r.body)
        assert found.signing_key == KEYS.member.signing_key
    assert [r.target for r in server.came] == [
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
            with pytest.raises((UnreachableError, CertificateError)):
                call()
