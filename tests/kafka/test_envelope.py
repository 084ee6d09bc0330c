"""Records prove themselves: what is changed in one isn't taken any more, and that has a name."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glean.kafka.envelope import (
    HEARTBEAT,
    KINDS,
    LARGEST_MESSAGE,
    LARGEST_NOTICE,
    MARK,
    Chunk,
    EnvelopeError,
    EnvelopeHead,
    digest_of,
    read_chunk,
    read_head,
    write_chunk,
)
from glean.privacy.envelope_signature import EnvelopeKeys, EnvelopeSigner
from glean.privacy.members import new_keys
from tests.kafka.test_chunks import KEYS, OWN, SIGNER, head_of

NAMES = st.text(max_size=60)
COUNTS = st.integers(0, 2**63 - 1)


@st.composite
def heads(draw: st.DrawFn, body: bytes = b"bread") -> EnvelopeHead:
    """Heads of a message, by the member whose key is known."""
    return EnvelopeHead(
        federation=draw(NAMES),
        run=draw(COUNTS),
        sender="Nordbrot",
        receiver=draw(NAMES),
        kind=draw(st.sampled_from(sorted(KINDS))),
        message_id=draw(NAMES),
        reply_to=draw(NAMES),
        sequence=draw(COUNTS),
        made_at=draw(st.floats(0, 2**39)),
        size=len(body),
        digest=digest_of(body),
    )


@given(heads())
def test_what_was_written_is_read(head: EnvelopeHead) -> None:
    """Also only the head, without a proof."""
    chunk = Chunk(head, 0, 1, b"bread")
    record = write_chunk(chunk, SIGNER)
    assert read_chunk(record, KEYS) == chunk
    assert read_head(record) == head


@given(st.integers(0, 2**20), st.integers(1, 255))
def test_no_byte_of_a_record_can_be_changed(place: int, change: int) -> None:
    """Whichever, and to whatever."""
    record = bytearray(write_chunk(Chunk(head_of(b"bread"), 0, 1, b"bread"), SIGNER))
    record[place % len(record)] ^= change
    with pytest.raises(EnvelopeError):
        read_chunk(bytes(record), KEYS)


@given(st.integers(0, 2**20))
def test_no_record_can_be_cut(place: int) -> None:
    """Wherever."""
    record = write_chunk(Chunk(head_of(b"bread"), 0, 1, b"bread"), SIGNER)
    with pytest.raises(EnvelopeError):
        read_chunk(record[: place % len(record)], KEYS)


@settings(max_examples=300)
@given(st.binary(max_size=300), st.booleans())
def test_nonsense_is_refused_by_name(content: bytes, marked: bool) -> None:
    """And never by another error."""
    with pytest.raises(EnvelopeError) as refused:
        read_chunk(MARK + content if marked else content, KEYS)
    assert refused.value.reason in {"unreadable", "unknown kind", "too large"}


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_a_head_of_other_types_is_refused(value: object) -> None:
    """Field by field."""
    fields = asdict(head_of(b"bread"))
    for name, right in fields.items():
        if type(value) is type(right):
            continue
        content = json.dumps(fields | {name: value}).encode()
        record = MARK + len(content).to_bytes(2, "big") + content
        with pytest.raises(EnvelopeError):
            read_head(record)


def reason_of(chunk: Chunk, signer: EnvelopeSigner = SIGNER, keys: EnvelopeKeys = KEYS) -> str:
    """Why a chunk isn't taken."""
    with pytest.raises(EnvelopeError) as refused:
        read_chunk(write_chunk(chunk, signer), keys)
    return refused.value.reason


def test_only_members_are_heard_each_by_its_own_key() -> None:
    """A member can't write in another's name, a stranger in none."""
    other = new_keys("Ostbrot")
    both = EnvelopeKeys({"Nordbrot": OWN.member.signing_key, "Ostbrot": other.member.signing_key})
    forged = Chunk(head_of(b"bread"), 0, 1, b"bread")
    others = EnvelopeSigner(other.signing_key, source="key")
    assert reason_of(forged, others, both) == "signature"
    stranger = Chunk(replace(head_of(b"bread"), sender="Südbrot"), 0, 1, b"bread")
    assert reason_of(stranger) == "unknown sender"


def test_what_a_member_signs_has_limits_too() -> None:
    """Places that there can't be, sizes beyond any message."""
    head = head_of(b"bread")
    assert reason_of(Chunk(head, 1, 1, b"bread")) == "chunks that don't fit"
    assert reason_of(Chunk(head, 0, 0, b"bread")) == "chunks that don't fit"
    assert reason_of(Chunk(head, 0, 6, b"b")) == "chunks that don't fit"
    assert reason_of(Chunk(head, 0, 1, b"breads")) == "chunks that don't fit"
    assert reason_of(Chunk(head, 0, 1, b"")) == "chunks that don't fit"
    assert reason_of(Chunk(replace(head, size=LARGEST_MESSAGE + 1), 0, 1, b"b")) == "too large"
    assert reason_of(Chunk(replace(head, kind="letter"), 0, 1, b"bread")) == "unknown kind"
    beat = replace(head, kind=HEARTBEAT, size=LARGEST_NOTICE + 1)
    assert reason_of(Chunk(beat, 0, 2, b"b")) == "too large"


@pytest.mark.parametrize("name", ["message_id", "reply_to", "digest", "receiver"])
def test_half_of_a_character_is_no_name(name: str) -> None:
    """A member may sign one, and no file can have it."""
    assert reason_of(Chunk(replace(head_of(b"bread"), **{name: "\ud800"}), 0, 1, b"bread")) == (  # type: ignore[arg-type]
        "unreadable"
    )
