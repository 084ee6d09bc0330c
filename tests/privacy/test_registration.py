"""Registrations: only who has both private keys can register them."""

from __future__ import annotations

import pytest

from glean.privacy.members import new_keys
from glean.privacy.registration import RegistrationError, read_registration, write_registration

SECRET = bytes(range(16))


def test_what_is_written_is_read() -> None:
    """With the keys as the member list has them."""
    keys = new_keys("Rue Mouffetard")
    found = read_registration(write_registration(SECRET, keys))
    assert (found.secret, found.signing_key, found.node_key) == (SECRET, *keys.member.keys)


@pytest.mark.parametrize("field", ["signing_key", "node_key", "secret"])
def test_nobody_registers_what_another_signed(field: str) -> None:
    """Another's key or another secret under one's own proofs doesn't fit."""
    own = write_registration(SECRET, new_keys("A"))
    other = write_registration(bytes(16), new_keys("B"))
    with pytest.raises(RegistrationError, match="the proofs don't fit"):
        read_registration({**own, field: other[field]})


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("secret", "AAAA", "found 3 bytes; wanted 16"),
        ("secret", "é", "wanted base64"),
        ("secret", None, "wanted a text"),
        ("node_key", "ssh-ed25519 AAAA", "can't be read"),
        ("signing_key", "x" * 1001, "at most 1000"),
        ("signing_proof", "", "the proofs don't fit"),
    ],
)
def test_what_cannot_be_read_is_refused_by_field(field: str, value: object, words: str) -> None:
    """Each field says what is wanted."""
    content = write_registration(SECRET, new_keys("A"))
    with pytest.raises(RegistrationError, match=words):
        read_registration({**content, field: value})


def test_keys_of_other_kinds_are_refused() -> None:
    """Signing keys are Ed25519, node keys on a curve; and no comment goes with them."""
    content = write_registration(SECRET, new_keys("A"))
    swapped = {**content, "signing_key": content["node_key"], "node_key": content["signing_key"]}
    with pytest.raises(RegistrationError):
        read_registration(swapped)
    with pytest.raises(RegistrationError, match="no comment"):
        read_registration({**content, "node_key": content["node_key"] + " anna@laptop"})
