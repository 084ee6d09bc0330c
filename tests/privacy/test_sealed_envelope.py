"""An envelope opens for its receiver alone, as its sender made it; anything else is named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.privacy import sealed_envelope
from glean.privacy.peer_identity import PeerIdentity
from glean.privacy.sealed_envelope import MARK, EnvelopeError, EnvelopeHead, SealedEnvelope, seal

NORTH, SOUTH, RELAY = PeerIdentity.new(), PeerIdentity.new(), PeerIdentity.new()
HEAD = EnvelopeHead("four mills", "north", "south", "m1", 1_000, 61_000)


def made(body: bytes = b"forty rolls", head: EnvelopeHead = HEAD) -> SealedEnvelope:
    return seal(head, "plan", body, sender=NORTH, receiver=SOUTH.public)


@settings(max_examples=30)
@given(st.binary(max_size=300), st.text(max_size=20).filter(lambda t: t.isprintable()))
def test_what_was_sealed_opens_at_its_receiver(body: bytes, kind: str) -> None:
    """Through bytes, with its kind."""
    kind = kind.encode(errors="replace").decode()
    envelope = seal(HEAD, kind, body, sender=NORTH, receiver=SOUTH.public)
    found = SealedEnvelope.of(envelope.to_bytes())
    found.check(NORTH.public)
    assert found.head == HEAD
    assert found.open(SOUTH) == (kind, body)


def test_a_sender_may_sign_with_rsa() -> None:
    """Where its mesh accepts that; what is encrypted is so in the same way."""
    strong = PeerIdentity.new(kind="rsa-2048")
    envelope = seal(HEAD, "plan", b"forty rolls", sender=strong, receiver=SOUTH.public)
    found = SealedEnvelope.of(envelope.to_bytes())
    found.check(strong.public)
    assert found.open(SOUTH) == ("plan", b"forty rolls")
    with pytest.raises(EnvelopeError, match="isn't its sender's"):
        found.check(PeerIdentity.new(kind="rsa-2048").public)


def test_who_carries_it_reads_the_head_alone() -> None:
    """Neither kind nor body stands in it; and it doesn't open with another's key."""
    envelope = made()
    content = envelope.to_bytes()
    assert b"forty rolls" not in content
    assert b"plan" not in content
    assert b"four mills" in content
    with pytest.raises(EnvelopeError, match=r"'m1' from 'north' doesn't open: .* another key"):
        envelope.open(RELAY)


def test_each_envelope_has_a_key_of_its_own() -> None:
    """The same message twice doesn't look the same."""
    assert made().contents != made().contents


def test_a_forged_one_is_refused() -> None:
    """Another peer signs for the sender."""
    forged = seal(HEAD, "plan", b"no rolls", sender=RELAY, receiver=SOUTH.public)
    with pytest.raises(EnvelopeError, match=r"'m1' from 'north': found a signature that isn't"):
        forged.check(NORTH.public)


def test_a_re_signed_one_is_refused() -> None:
    """Another peer sends contents that it can't read as its own: they are of another head."""
    theirs = made()
    mine = seal(replace(HEAD, sender="relay"), "plan", b"", sender=RELAY, receiver=SOUTH.public)
    swapped = replace(mine, contents=theirs.contents)
    statement = sealed_envelope._statement(swapped.head_bytes, swapped.contents)
    stolen = replace(swapped, signature=RELAY.sign(statement))
    stolen.check(RELAY.public)
    with pytest.raises(EnvelopeError, match=r"'m1' from 'relay' doesn't open"):
        stolen.open(SOUTH)


@pytest.mark.parametrize("field", ["sender", "receiver", "mesh", "message_id", "expires_ms"])
def test_a_changed_head_is_refused(field: str) -> None:
    """A relay can't send it elsewhere, under another name, or make it last longer."""
    value: object = 99_000 if field == "expires_ms" else "other"
    changed = replace(HEAD, **{field: value})  # type: ignore[arg-type] # of the field's own kind
    envelope = replace(made(), head=changed, head_bytes=changed.to_bytes())
    with pytest.raises(EnvelopeError, match="found a signature that isn't its sender's"):
        envelope.check(NORTH.public)
    with pytest.raises(EnvelopeError, match="doesn't open"):
        envelope.open(SOUTH)


CONTENT = made().to_bytes()


@given(st.integers(0, len(CONTENT) - 1), st.integers(0, 7))
def test_no_changed_bit_passes(place: int, bit: int) -> None:
    """Wherever it is: it can't be read, or isn't its sender's."""
    changed = bytearray(CONTENT)
    changed[place] ^= 1 << bit
    with pytest.raises(EnvelopeError):
        SealedEnvelope.of(bytes(changed)).check(NORTH.public)


@given(st.integers(0, len(CONTENT) - 1))
def test_none_that_was_cut_off_passes(length: int) -> None:
    """Likewise."""
    with pytest.raises(EnvelopeError):
        SealedEnvelope.of(CONTENT[:length]).check(NORTH.public)


@given(st.binary(max_size=200))
def test_noise_is_refused(content: bytes) -> None:
    """Whatever a stranger sends, also behind the right mark."""
    for noise in (content, MARK + content):
        with pytest.raises(EnvelopeError):
            SealedEnvelope.of(noise).check(NORTH.public)


@pytest.mark.parametrize(
    ("field", "value"),
    [("sender", ""), ("sender", "x" * 81), ("receiver", "a\nb"), ("message_id", "x" * 101)],
)
def test_names_have_their_limits(field: str, value: str) -> None:
    """So that none fills a log or a table."""
    with pytest.raises(EnvelopeError, match=f"an envelope's {field}: found .*; wanted 1 to"):
        replace(HEAD, **{field: value})  # type: ignore[arg-type]


def test_times_are_numbers() -> None:
    """A text, or a truth, is none."""
    for value in ("1", True, -1, 2**60):
        with pytest.raises(EnvelopeError, match="wanted milliseconds since 1970"):
            replace(HEAD, sent_ms=value)  # type: ignore[arg-type]
