"""Invitations as they are sent, and as mails and people hand them on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.privacy.invitation import (
    Invitation,
    InvitationError,
    new_invitation,
    read_invitation,
    secret_hash,
)

AUTHORITY = bytes(range(32))


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=16, max_size=16))
def test_a_link_is_read_back(authority: bytes, secret: bytes) -> None:
    """Address, authority and secret come through, whatever bytes they are."""
    invitation = Invitation("glean.example.org:8443", authority, secret)
    found = read_invitation(invitation.link)
    assert (found.address, found.authority, found.secret) == (
        "glean.example.org:8443",
        authority,
        secret,
    )


def test_the_secret_stands_in_the_fragment_only() -> None:
    """What a browser sends to the server, and a messenger asks for, has nothing of it."""
    invitation = new_invitation("glean.example.org:443", AUTHORITY)
    sent, fragment = invitation.link.split("#")
    assert sent == "https://glean.example.org:443/join"
    assert len(fragment) == len("1.") + 64
    assert invitation.secret_hash not in invitation.link
    assert invitation.secret.hex() not in repr(invitation)


def test_two_invitations_share_no_secret() -> None:
    """Each has its own, and its own hash."""
    one, two = (new_invitation("a:1", AUTHORITY) for _ in range(2))
    assert one.secret != two.secret
    assert one.secret_hash != two.secret_hash == secret_hash(two.secret)


@pytest.mark.parametrize("around", ["{}", "  {}\n", "<{}>", "'{}'", "\u201c{}\u201d"])
def test_what_a_mail_puts_around_it_does_not_matter(around: str) -> None:
    """Quotes, brackets and line ends are dropped."""
    link = new_invitation("glean.example.org:8443", AUTHORITY).link
    broken = around.format(link[:50] + "\n  " + link[50:])
    assert read_invitation(broken).authority == AUTHORITY


@pytest.mark.parametrize(
    ("address", "wanted"),
    [("a.org", "a.org:443"), ("a.org:8700", "a.org:8700"), ("[::1]", "[::1]:443"),
     ("[::1]:8700", "[::1]:8700"), ("10.0.0.1", "10.0.0.1:443")],
)  # fmt: skip
def test_a_port_that_is_left_out_is_that_of_https(address: str, wanted: str) -> None:
    """As in any link."""
    assert read_invitation(Invitation(address, AUTHORITY, bytes(16)).link).address == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "wanted the whole link"),
        ("https://a.org/join", "wanted the whole link"),
        ("http://a.org/join#1." + "A" * 64, "wanted the whole link"),
        ("https://user@a.org/join#1." + "A" * 64, "wanted the whole link"),
        ("https://a.org/join#1." + "A" * 63, "cut off or changed"),
        ("https://a.org/join#1." + "A" * 20, "cut off or changed"),
        ("https://a.org/join#2." + "A" * 64, "another version"),
    ],
)
def test_what_is_no_invitation_is_refused_in_words(text: str, words: str) -> None:
    """With what is wanted."""
    with pytest.raises(InvitationError, match=words):
        read_invitation(text)
