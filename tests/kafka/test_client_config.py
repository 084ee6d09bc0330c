"""What librdkafka is told of brokers that want certificates or a password, and says of it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from glean.errors import SettingsError
from glean.kafka.client_config import KafkaAccess
from glean.kafka.kafka_url import KafkaUrl
from glean.privacy.certificate_folder import make_certificates

pytest.importorskip("confluent_kafka", reason="needs pip install 'glean[kafka]'")

SASL = {"GLEAN_KAFKA_USER": "glean", "GLEAN_KAFKA_PASSWORD": "secret"}


def access(url: str, environment: dict[str, str] | None = None) -> KafkaAccess:
    """What is made of an address and an environment."""
    return KafkaAccess.of(KafkaUrl.read(url), environment or {}, client_id="test")


def test_an_open_broker_needs_nothing() -> None:
    """And gets an idempotent producer, zstd, and a reader that keeps its places itself."""
    open_to_all = access("kafka://127.0.0.1:1/x", SASL)
    assert open_to_all.settings["security.protocol"] == "PLAINTEXT"
    assert "sasl.password" not in open_to_all.settings
    producer = open_to_all.producer(lambda _error: None)
    assert producer["enable.idempotence"] is True
    assert producer["compression.type"] == "zstd"
    consumer = open_to_all.consumer("glean.x.server", lambda _error: None)
    assert consumer["enable.auto.commit"] is False


def test_certificates_are_read_by_librdkafka(tmp_path: Path) -> None:
    """The authority's, and one's own with its key, as this program makes them."""
    make_certificates(tmp_path, hosts=["127.0.0.1"])
    own = {"GLEAN_KAFKA_CA": str(tmp_path / "ca.crt")}
    found = access("kafka+ssl://127.0.0.1:1/x", own).settings
    assert (found["security.protocol"], found["ssl.ca.location"]) == ("SSL", own["GLEAN_KAFKA_CA"])
    both = own | {
        "GLEAN_KAFKA_CERTIFICATE": str(tmp_path / "server.pem"),
        "GLEAN_KAFKA_KEY": str(tmp_path / "server.key"),
    }
    assert access("kafka+ssl://127.0.0.1:1/x", both).settings["ssl.key.location"]
    with pytest.raises(SettingsError, match="wanted both"):
        access("kafka+ssl://127.0.0.1:1/x", {**both, "GLEAN_KAFKA_KEY": ""})


def test_a_key_may_have_a_password_which_is_not_shown(tmp_path: Path) -> None:
    """A wrong one is refused before anything connects."""
    make_certificates(tmp_path, hosts=["127.0.0.1"])
    key = load_pem_private_key((tmp_path / "server.key").read_bytes(), password=None)
    locked = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"geheim-gehalten")
    )
    (tmp_path / "locked.key").write_bytes(locked)
    own = {
        "GLEAN_KAFKA_CERTIFICATE": str(tmp_path / "server.pem"),
        "GLEAN_KAFKA_KEY": str(tmp_path / "locked.key"),
    }
    right = own | {"GLEAN_KAFKA_KEY_PASSWORD": "geheim-gehalten"}
    found = access("kafka+ssl://127.0.0.1:1/x", right)
    assert "geheim-gehalten" not in repr(found)
    with pytest.raises(SettingsError, match=r"ssl\.key\.location") as refused:
        access("kafka+ssl://127.0.0.1:1/x", own | {"GLEAN_KAFKA_KEY_PASSWORD": "falsch-gemerkt"})
    assert "falsch-gemerkt" not in str(refused.value)


def test_files_that_are_none_are_named_by_librdkafka(tmp_path: Path) -> None:
    """Before anything connects."""
    (tmp_path / "no.crt").write_text("no certificate")
    with pytest.raises(SettingsError, match=r"ssl\.ca\.location.*wanted the files"):
        access("kafka+ssl://127.0.0.1:1/x", {"GLEAN_KAFKA_CA": str(tmp_path / "no.crt")})


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_password_goes_by_scram_over_tls_alone(mechanism: str) -> None:
    """It is shown nowhere."""
    found = access("kafka+sasl://127.0.0.1:1/x", SASL | {"GLEAN_KAFKA_SASL": mechanism})
    assert found.settings["security.protocol"] == "SASL_SSL"
    assert found.settings["sasl.mechanism"] == mechanism
    assert "secret" not in repr(found)


def test_what_is_missing_of_a_password_is_said() -> None:
    """With the variable in which it is looked for."""
    with pytest.raises(SettingsError, match="found no user; wanted it in GLEAN_KAFKA_USER"):
        access("kafka+sasl://127.0.0.1:1/x")
    with pytest.raises(SettingsError, match="found no password; wanted it in GLEAN_KAFKA_PASSWORD"):
        access("kafka+sasl://me@127.0.0.1:1/x")
    with pytest.raises(SettingsError, match=r"found 'PLAIN'; wanted one of SCRAM-SHA-512"):
        access("kafka+sasl://127.0.0.1:1/x", SASL | {"GLEAN_KAFKA_SASL": "PLAIN"})


def test_looking_at_settings_connects_to_nothing() -> None:
    """No broker is there, and nobody waits for one."""
    before = time.monotonic()
    access("kafka+sasl://127.0.0.1:1/x", SASL)
    assert time.monotonic() - before < 5.0
