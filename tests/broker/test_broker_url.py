"""Addresses of brokers: which are taken, and that a password is told to nobody."""

from __future__ import annotations

import traceback
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.broker.broker_url import BrokerUrl
from glean.errors import SettingsError

SECRETS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=6)


@pytest.mark.parametrize(
    "text",
    ["amqp://host", "amqps://user@host:5671/vhost", "amqp://u:p@[::1]:5672/%2f?heartbeat=10"],
)
def test_addresses_of_brokers_are_taken(text: str) -> None:
    """As pika and RabbitMQ's other clients take them."""
    assert BrokerUrl(text).text == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "no scheme"),
        ("host", "no scheme"),
        ("redis://host", "'redis'"),
        ("amqp://", "no host"),
        ("amqp://user:pw@/vhost", "no host"),
        ("amqp://user:12/34@host/", "an address that can't be read"),
        ("amqp://user:12?34@host/", "an address that can't be read"),
        ("amqp://host:port/", "an address that can't be read"),
        ("amqp://[host/", "an address that can't be read"),
    ],
)
def test_other_addresses_are_refused(text: str, found: str) -> None:
    """With what was found and what was wanted."""
    with pytest.raises(SettingsError, match=r"wanted amqp://") as refused:
        BrokerUrl(text)
    assert f"found {found}" in str(refused.value)


@given(SECRETS, st.booleans(), st.sampled_from(["amqp", "amqps", "http", ""]))
def test_a_password_is_never_shown(secret: str, escaped: bool, scheme: str) -> None:
    """Also where it isn't escaped as it should be, and the address is refused."""
    secret = f"aB3{secret}" if not escaped else quote(f"aB3{secret}", safe="")
    try:
        url = BrokerUrl(f"{scheme}://user:{secret}@queue.example/")
    except SettingsError as error:
        said = "".join(traceback.format_exception(error))
    else:
        said = f"{url} {url!r}"
    assert "aB3" not in said
