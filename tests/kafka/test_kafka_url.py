"""Addresses of a Kafka: what they may say, and what is said of those that say something else."""

from __future__ import annotations

import pytest

from glean.errors import SettingsError
from glean.kafka.kafka_url import KafkaUrl, is_kafka


def test_an_address_is_read_whole() -> None:
    """Brokers, federation, how connections are protected."""
    plain = KafkaUrl.read("kafka://one.example:9093,two.example/north-east")
    assert plain == KafkaUrl(("one.example:9093", "two.example:9092"), "north-east")
    assert KafkaUrl.read("kafka://127.0.0.1:19092").federation == "bakeries"
    assert KafkaUrl.read("kafka+ssl://[::1]:9093/a").servers == ("[::1]:9093",)
    assert KafkaUrl.read("kafka+ssl://a").tls
    sasl = KafkaUrl.read("kafka+sasl://me:a%2Fb@a/x")
    assert (sasl.tls, sasl.sasl, sasl.user, sasl.password) == (True, True, "me", "a/b")


def test_a_password_is_shown_nowhere() -> None:
    """Neither as text nor in a trace."""
    url = KafkaUrl.read("kafka+sasl://me:secret@a/x")
    assert "secret" not in f"{url} {url!r}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("http://a/x", "'http'"),
        ("a:9092", "no scheme"),
        ("kafka://", "no scheme"),
        ("kafka:///x", "''"),
        ("kafka://a,,b/x", "''"),
        ("kafka://a:0/x", "'a:0'"),
        ("kafka://a:70000/x", "'a:70000'"),
        ("kafka://a b/x", "'a b'"),
        ("kafka://a/North", "'North'"),
        ("kafka://a/x/y", "'x/y'"),
        ("kafka://me@a/x", "a user"),
        ("kafka+sasl://me:a/b@c/x", "can't be read"),
        ("kafka://a/x?y", "can't be read"),
        ("kafka://[/x", "can't be read"),
    ],
)
def test_what_is_none_is_refused(text: str, found: str) -> None:
    """With what was found, and what was wanted."""
    with pytest.raises(SettingsError, match="wanted kafka://HOST:PORT") as refused:
        KafkaUrl.read(text)
    assert found in str(refused.value)


def test_a_kafka_is_told_from_a_connection_s_name() -> None:
    """Right or wrong: what begins like one is meant as one."""
    assert is_kafka("kafka://a")
    assert is_kafka("kafka+sasl://")
    assert not is_kafka("bakeries")
    assert not is_kafka("kafka")
    assert not is_kafka("https://kafka")
