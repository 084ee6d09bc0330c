"""Whose word counts for who a client is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from glean.service.serving import Listening, _config

CLIENT, INGRESS, HERE = "203.0.113.7", "10.1.2.3", "127.0.0.1"


def seen_client(sender: str, *, behind_proxy: bool = True) -> str:
    """Whom an application takes for the client of a request that a sender forwards."""
    seen: list[str] = []

    async def application(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["client"][0])

    config = _config(application, Listening("0.0.0.0", behind_proxy=behind_proxy))  # noqa: S104
    config.ws = "none"  # what it would import for them warns
    config.load()
    scope = {
        "type": "http",
        "client": (sender, 4711),
        "headers": [(b"x-forwarded-for", CLIENT.encode())],
        "scheme": "http",
    }
    asyncio.run(config.loaded_app(scope, None, None))
    return seen[0]


def test_a_proxy_is_on_this_machine_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As behind an ingress; without --behind-proxy nobody's word counts."""
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    assert (seen_client(HERE), seen_client(INGRESS)) == (CLIENT, INGRESS)
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "10.0.0.0/8,172.16.0.0/12")
    assert (seen_client(HERE), seen_client(INGRESS)) == (HERE, CLIENT)
    assert seen_client("192.0.2.1") == "192.0.2.1"
    assert seen_client(INGRESS, behind_proxy=False) == INGRESS


@pytest.mark.parametrize(("behind_proxy", "most"), [(True, 2000), (False, 250)])
def test_a_proxy_s_connections_are_those_of_all(*, behind_proxy: bool, most: int) -> None:
    """Who comes by itself is one of many, and counted by its address."""
    listening = Listening("0.0.0.0", public=True, behind_proxy=behind_proxy)  # noqa: S104
    assert vars(_config(object(), listening).http)["counts"].of_address == most
