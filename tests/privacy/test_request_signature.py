"""Signed requests: of one request only, taken once, within five minutes."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from glean.errors import CertificateError
from glean.privacy.members import new_keys
from glean.privacy.request_signature import (
    CONTENT_HEADER,
    KEY_HEADER,
    NONCE_HEADER,
    SIGNATURE_HEADER,
    TIME_HEADER,
    RequestRefusedError,
    RequestSigner,
    SeenRequests,
    read_signed,
    read_signed_head,
    sign_request,
)

KEYS = new_keys("Rue Mouffetard")
SIGNER = RequestSigner(KEYS.signing_key)
NOW = dt.datetime(2026, 11, 30, 5, 0, tzinfo=dt.UTC)
REQUEST = ("POST", "/v1/fleet/pull-messages?since=1", b"body")


def headers(now: dt.datetime = NOW) -> dict[str, str]:
    """Sign the request."""
    return sign_request(SIGNER, *REQUEST, now=now)


def test_a_signed_request_names_who_sent_it() -> None:
    """By the key that the members' list has."""
    found = read_signed(headers(), *REQUEST)
    assert (found.signing_key, found.at) == (KEYS.member.signing_key, NOW)


@pytest.mark.parametrize(
    "changed",
    [
        ("GET", *REQUEST[1:]),
        ("POST", "/v1/fleet/push-messages?since=1", b"body"),
        ("POST", "/v1/fleet/pull-messages?since=2", b"body"),
        ("POST", "/v1/fleet/pull-messages?since=1", b"Body"),
        ("POST", "/v1/fleet/pull-messages?since=1", b""),
    ],
)
def test_a_signature_is_of_its_request_only(changed: tuple[str, str, bytes]) -> None:
    """Another method, path, query or body is refused."""
    with pytest.raises(RequestRefusedError, match="changed on the way") as caught:
        read_signed(headers(), *changed)
    assert caught.value.reason == "unsigned"


@pytest.mark.parametrize(
    "name", [KEY_HEADER, TIME_HEADER, NONCE_HEADER, CONTENT_HEADER, SIGNATURE_HEADER]
)
def test_every_header_counts(name: str) -> None:
    """None may be missing, be another request's, or be odd."""
    other = sign_request(
        RequestSigner(new_keys("B").signing_key), "GET", "/", b"other", now=NOW + dt.timedelta(1)
    )
    for value in ("", other[name], "é", "A" * 300, headers()[name] + "A"):
        with pytest.raises(RequestRefusedError):
            read_signed({**headers(), name: value}, *REQUEST)


def test_a_head_is_proved_before_its_body_comes() -> None:
    """By the body's hash, which is signed; the body is compared with it afterwards."""
    found = read_signed_head(headers(), *REQUEST[:2])
    found.check_content(REQUEST[2])
    with pytest.raises(RequestRefusedError, match="changed on the way"):
        found.check_content(b"Body")
    with pytest.raises(RequestRefusedError, match="changed on the way"):
        read_signed_head(headers() | {CONTENT_HEADER: "0" * 64}, *REQUEST[:2])


def test_a_request_is_taken_once() -> None:
    """The same one again is refused; another with the same content isn't."""
    seen, request = SeenRequests(), read_signed(headers(), *REQUEST)
    seen.check(request, NOW)
    seen.check(read_signed(headers(), *REQUEST), NOW)
    with pytest.raises(RequestRefusedError, match="sent before") as caught:
        seen.check(request, NOW + dt.timedelta(seconds=299))
    assert caught.value.reason == "replay"


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_wrong_clock_is_told_by_how_much(seconds: int) -> None:
    """With the server's time, so that it can be set."""
    request = read_signed(headers(NOW + dt.timedelta(seconds=seconds)), *REQUEST)
    with pytest.raises(RequestRefusedError, match=r"clock is 301 s .*2026-11-30 05:00:00") as found:
        SeenRequests().check(request, NOW)
    assert found.value.reason == "clock"


def test_no_replay_is_taken_at_any_time() -> None:
    """From five minutes ahead of the server's clock until five minutes after the request's time."""
    ahead = read_signed(headers(NOW + dt.timedelta(seconds=300)), *REQUEST)
    seen = SeenRequests()
    seen.check(ahead, NOW)
    for seconds in range(0, 1200, 30):
        with pytest.raises(RequestRefusedError):
            seen.check(ahead, NOW + dt.timedelta(seconds=seconds))
        seen.check(
            read_signed(headers(NOW + dt.timedelta(seconds=seconds)), *REQUEST),
            NOW + dt.timedelta(seconds=seconds),
        )


def test_memory_is_bounded_and_what_was_forgotten_is_refused() -> None:
    """Beyond the bound the eldest are forgotten: whatever is as old is refused for it."""
    seen = SeenRequests(most=10)
    first = read_signed(headers(), *REQUEST)
    seen.check(first, NOW)
    for second in range(1, 31):
        now = NOW + dt.timedelta(seconds=second)
        seen.check(replace(first, at=now, nonce=f"{second:024d}"), now)
    with pytest.raises(RequestRefusedError):
        seen.check(first, NOW + dt.timedelta(seconds=31))
    assert len(seen._seen) <= 10


def test_a_key_of_another_kind_cannot_sign() -> None:
    """The node key isn't for this."""
    with pytest.raises(CertificateError):
        RequestSigner(KEYS.node_key)
