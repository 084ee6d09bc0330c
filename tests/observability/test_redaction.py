"""What is secret doesn't come out of a text, and the rest of it does."""

from __future__ import annotations

import secrets
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.observability.redaction import redacted

INVITATION = "https://glean.example.org:8700/join#1.AAECAwQF-_abc"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("postgresql://glean:pass@db/glean", "postgresql://glean:***@db/glean"),
        ("amqp://a:b%40c@h:5672/%2F is down", "amqp://a:***@h:5672/%2F is down"),
        ("redis://:word@h", "redis://:***@h"),
        ("postgresql://a:p@ss/w@rd@h/db", "postgresql://a:***@h/db"),
        ("'s3://key:word@bucket' and 'x@y'", "'s3://key:***@bucket' and 'x@y'"),
        ("glean_abcdefgh_Se-cr_et is wrong", "glean_abcdefgh_*** is wrong"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***"),
        (INVITATION, "https://glean.example.org:8700/join#1.***"),
        ("AWS_SECRET_ACCESS_KEY=abc/def", "AWS_SECRET_ACCESS_KEY=***"),
        ("{'password': 'x', 'user': 'y'}", "{'password': '***', 'user': 'y'}"),
        ("https://h/a?api_key=1&page=2", "https://h/a?api_key=***&page=2"),
    ],
)
def test_a_secret_is_hidden(text: str, wanted: str) -> None:
    """However it is written."""
    assert redacted(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "run 42 of 3 bakeries began at http://127.0.0.1:8700/",
        "found no token; wanted a header like Authorization: Bearer glean_...",
        "sqlite:////srv/glean/service.db: can't be used",
        "secure-sums = true, min-contributors = 3",
        "",
    ],
)
def test_what_is_no_secret_is_left(text: str) -> None:
    """Or nobody could read what is wrong."""
    assert redacted(text) == text


@pytest.mark.parametrize(
    "text",
    ["a", "a-", "a://b:", "a@", "password", "token ", "Bearer ", "glean_abcdefgh_", "/join#1."],
)
def test_a_long_text_keeps_nobody_waiting(text: str) -> None:
    """A stranger's path of 64 KB stands in a log line, and the service waits until it does."""
    began = time.process_time()
    redacted(text * (65_536 // len(text)))
    assert time.process_time() - began < 0.5


WORDS = st.text(st.characters(categories=["L", "N"], max_codepoint=0x17F), min_size=8, max_size=20)


@given(WORDS, st.sampled_from(["amqp", "postgresql+pg8000", "s3", "webdav+https"]))
def test_no_password_of_a_url_comes_through(word: str, scheme: str) -> None:
    """Whatever its letters; and once more changes nothing."""
    password = word + secrets.token_urlsafe(8)
    found = redacted(f"can't reach {scheme}://glean:{password}@host:1/x, tried 3 times")
    assert password not in found
    assert found.endswith("@host:1/x, tried 3 times")
    assert redacted(found) == found
