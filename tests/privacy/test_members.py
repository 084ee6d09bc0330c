"""The list of members as somebody may have edited it."""

from __future__ import annotations

import json

import pytest

from glean.errors import CertificateError
from glean.privacy.members import Member, read_members, write_members

ANNA = {"bakery": "Anna", "signing_key": "ssh-ed25519 A", "node_key": "ecdsa B"}


def test_a_list_is_read_as_it_was_written() -> None:
    """In order of the names."""
    members = (Member("Anna", "a", "b"), Member("Bruno", "c", "d"))
    assert read_members(write_members(reversed(members))) == members


@pytest.mark.parametrize("value", [7, 1.5, None, True, ["Anna"], {}])
@pytest.mark.parametrize("field", ANNA)
def test_what_is_no_text_is_no_name_and_no_key(field: str, value: object) -> None:
    """A number as a name is named, with what to do."""
    content = json.dumps({"format": 1, "members": [ANNA, ANNA | {field: value}]}).encode()
    with pytest.raises(CertificateError, match=r"members\.json: found .*wanted text in quotes"):
        read_members(content)


@pytest.mark.parametrize(
    "content",
    [b"", b"[" * 200_000, b"7", b'{"format": 1, "members": 7}', b'{"format": 1, "members": [7]}'],
)
def test_what_is_no_list_of_members_is_refused(content: bytes) -> None:
    """Whatever it is instead."""
    with pytest.raises(CertificateError, match=r"members\.json isn't a list of members"):
        read_members(content)
