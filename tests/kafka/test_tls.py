"""By TLS and SCRAM: first a broker proves who it is, by its certificate, then who comes to it.

A broker of the test's that speaks none of it has a proxy in front that does.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from glean.errors import FederationError
from glean.kafka import topic_maker
from glean.kafka.brokers_check import check_brokers
from glean.kafka.client_config import KafkaAccess
from glean.kafka.kafka_url import KafkaUrl
from glean.kafka.topics import Topics
from glean.privacy.certificate_folder import make_certificates
from tests import processes
from tests.kafka.test_kafka_carriers import answer, ask, replies
from tests.kafka_broker import KafkaBroker, why_no_broker
from tests.kafka_ends import Ends, all_ends, new_federation
from tests.sasl_proxy import Guests, sasl_proxy
from tests.tls_proxy import tls_proxy

REASON = why_no_broker()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

NAME = "Nordbrot"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[KafkaBroker]:
    """One that says of itself that it is where the proxy listens."""
    found = KafkaBroker(tmp_path / "broker", advertised=processes.free_port())
    try:
        found.start()
        yield found
    finally:
        found.kill()


def test_messages_go_by_tls(broker: KafkaBroker, tmp_path: Path) -> None:
    """With an authority of one's own, and an address that fits the certificate."""
    make_certificates(tmp_path / "keys", hosts=["127.0.0.1"])
    environment = {"GLEAN_KAFKA_CA": str(tmp_path / "keys/ca.crt")}
    url = f"kafka+ssl://{broker.server}/test"
    ends = Ends(url, tmp_path, new_federation([NAME]), environment)
    proxy = tls_proxy(broker.advertised, broker.port, tmp_path / "keys")
    with proxy, all_ends(ends, [NAME]) as (server, clients):
        ask(server, [NAME], b"model")
        answer(clients, 1)
        assert [reply.body for reply in replies(server, 1)] == [b"to model"]


def test_a_broker_of_another_authority_is_told_nothing(broker: KafkaBroker, tmp_path: Path) -> None:
    """The reason is said; nothing is sent."""
    for name in ("keys", "others"):
        make_certificates(tmp_path / name, hosts=["127.0.0.1"])
    url = f"kafka+ssl://{broker.server}/test"
    environment = {"GLEAN_KAFKA_CA": str(tmp_path / "others/ca.crt")}
    with tls_proxy(broker.advertised, broker.port, tmp_path / "keys"):
        server = Ends(url, tmp_path, new_federation([NAME]), environment).server()
        try:
            processes.wait_until(lambda: server.problem != "", "a problem", limit_s=20.0)
            assert "certificate verify failed" in server.problem
            assert not server._connection.is_open
        finally:
            server.close()


def own_certificate(folder: Path) -> tuple[Path, Path]:
    """One that a client has made itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .sign(key, SHA256())
    )
    (folder / "own.pem").write_bytes(made.public_bytes(Encoding.PEM))
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "own.key").write_bytes(content)
    return folder / "own.pem", folder / "own.key"


@pytest.mark.slow
def test_a_broker_may_ask_for_a_certificate(broker: KafkaBroker, tmp_path: Path) -> None:
    """Who has one is let in, and nobody else."""
    keys = tmp_path / "keys"
    make_certificates(keys, hosts=["127.0.0.1"])
    without = {"GLEAN_KAFKA_CA": str(keys / "ca.crt")}
    certificate, key = own_certificate(tmp_path)
    own = {"GLEAN_KAFKA_CERTIFICATE": str(certificate), "GLEAN_KAFKA_KEY": str(key)}
    url = f"kafka+ssl://{broker.server}/test"
    with tls_proxy(broker.advertised, broker.port, keys, lets_in=certificate):
        access = KafkaAccess.of(KafkaUrl.read(url), without, client_id="test")
        with pytest.raises(FederationError, match="no broker answers"):
            check_brokers(access, Topics("test"), limit_s=0.0)
        with all_ends(Ends(url, tmp_path, new_federation([NAME]), without | own), [NAME]) as ends:
            server, clients = ends
            ask(server, [NAME], b"model")
            answer(clients, 1)
            assert [reply.body for reply in replies(server, 1)] == [b"to model"]


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256"])
def test_a_password_is_proved_by_scram(mechanism: str, broker: KafkaBroker, tmp_path: Path) -> None:
    """To a broker that lets in nobody else, in each connection of both sides."""
    make_certificates(tmp_path / "keys", hosts=["127.0.0.1"])
    environment = {
        "GLEAN_KAFKA_CA": str(tmp_path / "keys/ca.crt"),
        "GLEAN_KAFKA_PASSWORD": "geheim",
        "GLEAN_KAFKA_SASL": mechanism,
    }
    url = f"kafka+sasl://glean@{broker.server}/test"
    ends = Ends(url, tmp_path, new_federation([NAME]), environment)
    guests = Guests("glean", "geheim")
    proxy = sasl_proxy(broker.advertised, broker.port, tmp_path / "keys", guests)
    with proxy, all_ends(ends, [NAME]) as (server, clients):
        ask(server, [NAME], b"model")
        answer(clients, 1)
        assert [reply.body for reply in replies(server, 1)] == [b"to model"]
    assert set(guests.let_in) == {mechanism}


def test_a_wrong_password_is_said_and_not_shown(
    broker: KafkaBroker,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To the operator at once, to a node's log, nowhere the password itself."""
    make_certificates(tmp_path / "keys", hosts=["127.0.0.1"])
    monkeypatch.setattr(topic_maker, "LIMIT_S", 1.0)
    environment = {
        "GLEAN_KAFKA_CA": str(tmp_path / "keys/ca.crt"),
        "GLEAN_KAFKA_PASSWORD": "falsch-gemerkt",
    }
    url = f"kafka+sasl://glean@{broker.server}/test"
    with sasl_proxy(broker.advertised, broker.port, tmp_path / "keys", Guests("glean", "geheim")):
        access = KafkaAccess.of(KafkaUrl.read(url), environment, client_id="test")
        with pytest.raises(
            FederationError, match=r"no broker answers \(.*uthentication"
        ) as refused:
            check_brokers(access, Topics("test"), limit_s=0.0)
        server = Ends(url, tmp_path, new_federation([NAME]), environment).server()
        try:
            processes.wait_until(lambda: server.problem != "", "a problem", limit_s=20.0)
            assert "uthentication" in server.problem
        finally:
            server.close()
    assert "falsch-gemerkt" not in f"{refused.value} {server.problem} {caplog.text}"
