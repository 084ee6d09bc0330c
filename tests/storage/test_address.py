"""Addresses of stores as typed."""

from __future__ import annotations

import pytest

from glean.storage.address import is_address, read_address, split_run
from glean.storage.store import open_storage
from glean.storage.store_errors import StorageError


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("s3://bucket/glean", True),
        ("webdav+https://cloud.example.org/x", True),
        ("results/latest", False),
        ("/srv/results", False),
        ("models:/glean/3", False),
        ("C:\\results", False),
        ("", False),
        (3, False),
    ],
)
def test_an_address_is_told_from_a_path(text: object, wanted: bool) -> None:
    """A registry's `models:/` is none either."""
    assert is_address(text) is wanted


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://key:very-secret@bucket/x", "found a password"),
        ("https://host/x?signature=very-secret", "found a password"),
        ("s3://bucket/../other", "'..' in it"),
        ("webdav+https://host/glean/%2e%2E/private.csv", "'..' in it"),
        ("webdav+https://host/glean/..%2fprivate.csv", "'..' in it"),
        ("simplecache::s3://bucket/x", "wanted one like s3://"),
        ("results", "wanted one like s3://"),
        ("s3://", "names no place"),
        ("s3://[bucket", "can't be read"),
    ],
)
def test_what_is_none_is_refused_without_its_secret(url: str, said: str) -> None:
    """A password in an address would end up in logs and in shells' histories."""
    with pytest.raises(StorageError) as told:
        read_address(url)
    assert said in str(told.value)
    assert "very-secret" not in str(told.value)


def test_a_slash_at_the_end_makes_no_other_store() -> None:
    """What was sent to one is found in the other."""
    assert read_address("s3://bucket/glean/").url == "s3://bucket/glean"


def test_a_run_s_address_is_that_of_its_store_and_its_name() -> None:
    """Also with a slash at its end; anything else is refused with an example."""
    split = split_run("s3://bucket/glean/runs/20261130T101500Z-17/")
    assert split == ("s3://bucket/glean", "20261130T101500Z-17")
    for url in ("s3://bucket/runs/latest", "s3://bucket/20261130T101500Z-17"):
        with pytest.raises(StorageError, match="glean storage list"):
            split_run(url)


@pytest.mark.parametrize(
    "host", ["127.0.0.1.example.org", "localhost.example.org:80", "localhost@example.org"]
)
def test_a_password_isn_t_sent_in_the_clear_to_who_is_called_like_this_machine(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only to this machine itself."""
    pytest.importorskip("webdav4", reason="needs glean[storage]")
    monkeypatch.setenv("WEBDAV_USERNAME", "anna")
    monkeypatch.setenv("WEBDAV_PASSWORD", "very-secret")
    with pytest.raises(StorageError, match="without encryption"):
        open_storage(f"webdav+http://{host}/folder")
    for own in ("127.0.0.1:8080", "localhost"):
        open_storage(f"webdav+http://{own}/folder")


def test_an_implementation_that_is_missing_is_named() -> None:
    """fsspec knows many protocols whose packages aren't here, and some it doesn't know."""
    pytest.importorskip("fsspec", reason="needs glean[storage]")
    with pytest.raises(StorageError, match=r"docs/storage\.md"):
        open_storage("gdrive://folder")
    with pytest.raises(StorageError, match="Protocol not known"):
        open_storage("nothing://folder/x")
