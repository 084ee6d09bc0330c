"""Messages come together from their chunks, in any order, mixed with others, within the limit."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.kafka.chunks import Assembler, split
from glean.kafka.envelope import (
    REPLY,
    SERVER,
    Chunk,
    EnvelopeError,
    EnvelopeHead,
    digest_of,
    read_chunk,
)
from glean.privacy.envelope_signature import EnvelopeKeys, EnvelopeSigner
from glean.privacy.members import new_keys

OWN = new_keys("Nordbrot")
SIGNER = EnvelopeSigner(OWN.signing_key, source="key")
KEYS = EnvelopeKeys({"Nordbrot": OWN.member.signing_key})


def head_of(body: bytes, message_id: str = "one") -> EnvelopeHead:
    """A head of a reply."""
    return EnvelopeHead(
        federation="test",
        run=41,
        sender="Nordbrot",
        receiver=SERVER,
        kind=REPLY,
        message_id=message_id,
        reply_to="asked",
        sequence=1,
        made_at=1.5,
        size=len(body),
        digest=digest_of(body),
    )


def chunks_of(body: bytes, message_id: str = "one", chunk_bytes: int = 10) -> list[Chunk]:
    """A message's chunks, as its receiver has proved them."""
    records = split(head_of(body, message_id), body, SIGNER, chunk_bytes=chunk_bytes)
    return [read_chunk(record, KEYS) for record in records]


def assembler(most_bytes: int = 10_000_000) -> tuple[Assembler, list[str]]:
    """One, and the ids of what it gives up."""
    gone: list[str] = []
    return Assembler(lambda head, _: gone.append(head.message_id), most_bytes=most_bytes), gone


@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=3), st.binary(max_size=80), max_size=4),
    st.integers(1, 30),
    st.randoms(use_true_random=False),
)
def test_any_order_gives_the_messages_back(
    bodies: dict[str, bytes], chunk_bytes: int, draw: random.Random
) -> None:
    """Chunks of several messages, mixed and shuffled; nothing is held in the end."""
    chunks = [c for name, body in bodies.items() for c in chunks_of(body, name, chunk_bytes)]
    draw.shuffle(chunks)
    whole, dropped = assembler()
    found = {c.head.message_id: body for c in chunks if (body := whole.add(c)) is not None}
    assert found == bodies
    assert whole.held_bytes == 0
    assert whole.waiting == []
    assert dropped == []


def test_a_chunk_that_comes_twice_is_named_and_does_no_harm() -> None:
    """The message comes together all the same."""
    first, second, third = chunks_of(b"x" * 25)
    whole, _ = assembler()
    whole.add(first)
    with pytest.raises(EnvelopeError, match="is here already") as refused:
        whole.add(first)
    assert refused.value.reason == "came again"
    whole.add(third)
    assert whole.add(second) == b"x" * 25


def test_chunks_of_other_sizes_don_t_mix() -> None:
    """A message that was sent again in smaller chunks stands beside the first try."""
    whole, _ = assembler()
    whole.add(chunks_of(b"y" * 25, chunk_bytes=10)[0])
    found = [whole.add(chunk) for chunk in chunks_of(b"y" * 25, chunk_bytes=5)]
    assert found == [None, None, None, None, b"y" * 25]


def test_what_isn_t_the_whole_is_refused() -> None:
    """Each chunk is signed, but the head speaks of something else."""
    first, second = chunks_of(b"z" * 15)
    other = head_of(b"q" * 15)
    whole, _ = assembler()
    whole.add(Chunk(other, 0, 2, first.data))
    with pytest.raises(EnvelopeError) as refused:
        whole.add(Chunk(other, 1, 2, second.data))
    assert refused.value.reason == "checksum"
    assert whole.held_bytes == 0


def test_more_bytes_than_said_are_refused() -> None:
    """Before the last chunk has come, and what was there is dropped."""
    first, second = chunks_of(b"z" * 20)
    short = head_of(b"z" * 15)
    whole, _ = assembler()
    whole.add(Chunk(short, 0, 3, first.data))
    with pytest.raises(EnvelopeError) as refused:
        whole.add(Chunk(short, 1, 3, second.data))
    assert refused.value.reason == "chunks that don't fit"
    assert whole.held_bytes == 0


def test_memory_has_a_limit() -> None:
    """What waits longest goes, by name; the newest stays whatever its size."""
    whole, dropped = assembler(most_bytes=5000)
    for number in range(10):
        whole.add(chunks_of(b"a" * 1500, str(number), 1000)[0])
        assert whole.held_bytes <= 5000
    assert dropped == [str(number) for number in range(8)]
    assert whole.waiting == ["8", "9"]


def test_a_sender_with_many_pieces_pushes_out_its_own() -> None:
    """One that fills the room on purpose holds up nobody else's message."""
    keys = {name: new_keys(name) for name in ("Nordbrot", "Ostbrot")}
    known = EnvelopeKeys({name: own.member.signing_key for name, own in keys.items()})

    def pieces(name: str, message_id: str, body: bytes) -> list[Chunk]:
        signer = EnvelopeSigner(keys[name].signing_key, source="key")
        head = replace(head_of(body, message_id), sender=name)
        return [read_chunk(r, known) for r in split(head, body, signer, chunk_bytes=1000)]

    whole, dropped = assembler(most_bytes=9000)
    first, second = pieces("Nordbrot", "right", b"r" * 1500)
    whole.add(first)
    for number in range(20):
        whole.add(pieces("Ostbrot", str(number), b"w" * 1500)[0])
        assert whole.held_bytes <= 9000
    for piece in pieces("Ostbrot", "alone", b"w" * 20_000)[:-1]:
        whole.add(piece)
    assert "right" not in dropped
    assert whole.add(second) == b"r" * 1500


def test_what_never_comes_together_is_given_up() -> None:
    """After a while since its last chunk."""
    now, dropped = [0.0], []
    whole = Assembler(
        lambda head, error: dropped.append((head.message_id, error.reason)),
        kept_s=10.0,
        clock=lambda: now[0],
    )
    first, second, _ = chunks_of(b"b" * 25)
    whole.add(first)
    now[0] = 8.0
    whole.add(second)
    now[0] = 17.0
    whole.expire()
    assert dropped == []
    now[0] = 18.5
    whole.expire()
    assert dropped == [("one", "incomplete")]
    assert whole.held_bytes == 0


def test_a_message_arrives_only_while_its_chunks_come() -> None:
    """One whose other chunks a broker has forgotten has to be sent again."""
    now = [0.0]
    whole = Assembler(lambda _head, _error: None, clock=lambda: now[0])
    first, second, _ = chunks_of(b"b" * 25)
    whole.add(first)
    now[0] = 4.0
    assert whole.arriving(5.0) == ["one"]
    whole.add(second)
    now[0] = 8.0
    assert whole.arriving(5.0) == ["one"]
    now[0] = 9.5
    assert whole.arriving(5.0) == []
    assert whole.waiting == ["one"]


def test_a_run_that_is_over_is_forgotten() -> None:
    """Without a word."""
    whole, dropped = assembler()
    whole.add(chunks_of(b"b" * 25)[0])
    whole.forget(40)
    assert whole.waiting == ["one"]
    whole.forget(41)
    assert whole.waiting == []
    assert dropped == []
