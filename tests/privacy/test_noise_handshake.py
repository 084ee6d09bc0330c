"""The handshake gives the bytes of published test vectors, and nothing else passes.

The vectors are those that came with Noise's first implementations and that those of libp2p test by.
"""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from glean.privacy.noise_handshake import LONGEST_MESSAGE, NoiseError, NoiseHandshake

INITIATOR_STATIC = bytes(range(0x20))
RESPONDER_STATIC = bytes(range(0x01, 0x21))
INITIATOR_EPHEMERAL = bytes(range(0x20, 0x40))
RESPONDER_EPHEMERAL = bytes(range(0x41, 0x61))

VECTORS = {
    "without payloads": (
        (b"", b"", b""),
        (
            "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254",
            "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d484663414af878d3e46a2f58911"
            "a816d6e8346d4ea17a6f2a0bb4ef4ed56c133cff4560a34e36ea82109f26cf2e5a5caf992b608d55c747f6"
            "15e5a3425a7a19eefb8f",
            "87f864c11ba449f46a0a4f4e2eacbb7b0457784f4fca1937f572c93603e9c4d97e5ea11b16f3968710b23a"
            "3be3202dc1b5e1ce3c963347491e74f5c0768a9b42",
        ),
    ),
    "with payloads": (
        (b"test_msg_0", b"test_msg_1", b"test_msg_2"),
        (
            "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254746573745f6d73675f30",
            "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d484663414af878d3e46a2f58911"
            "a816d6e8346d4ea17a6f2a0bb4ef4ed56c133cff4572e7a2ba5123ac30618b3d205f5c2d17f50cbca21648"
            "3ac56bcc78e33bf520303278db641e5e731b2e3a",
            "87f864c11ba449f46a0a4f4e2eacbb7b0457784f4fca1937f572c93603e9c4d9f27e318e43ba630594c4d0"
            "8eeb3b36d97c7377a2f4f9144b2f0c8095ad92140505b2ab53eff244b14138",
        ),
    ),
}


def side(*, initiator: bool, prologue: bytes = b"", fixed: bool = False) -> NoiseHandshake:
    """One side, with the vectors' keys or new ones."""
    keys = (INITIATOR_STATIC, INITIATOR_EPHEMERAL)
    if not initiator:
        keys = (RESPONDER_STATIC, RESPONDER_EPHEMERAL)
    static, ephemeral = (X25519PrivateKey.from_private_bytes(key) for key in keys)
    if not fixed:
        static, ephemeral = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    return NoiseHandshake(
        initiator=initiator, prologue=prologue, static=static, ephemeral=ephemeral
    )


@pytest.mark.parametrize("name", VECTORS)
def test_it_gives_the_published_bytes(name: str) -> None:
    """Each message of the handshake, its payload, and the first message of each direction."""
    payloads, ciphertexts = VECTORS[name]
    writer, reader = side(initiator=True, fixed=True), side(initiator=False, fixed=True)
    initiator, responder = writer, reader
    for payload, ciphertext in zip(payloads, ciphertexts, strict=True):
        message = writer.write(payload)
        assert message.hex() == ciphertext
        assert reader.read(message) == payload
        writer, reader = reader, writer
    sends, receives = initiator.split()
    assert sends.encrypt(b"yellowsubmarine").hex() == (
        "a52ef02ba60e12696d1d6b9ef4245c88fca757b6134ad6e76b56e310a6adf6"
    )
    back, forth = responder.split()
    answer = back.encrypt(b"submarineyellow")
    assert answer.hex() == "2445aa438ebd649281c636cc7269ca82f1d9023d72520943aeabf909cdf521"
    assert receives.decrypt(answer) == b"submarineyellow"
    assert forth.decrypt(bytes.fromhex(
        "a52ef02ba60e12696d1d6b9ef4245c88fca757b6134ad6e76b56e310a6adf6"
    )) == b"yellowsubmarine"  # fmt: skip


@given(st.lists(st.binary(max_size=50), min_size=3, max_size=3), st.binary(max_size=20))
def test_both_sides_agree_with_new_keys(payloads: list[bytes], prologue: bytes) -> None:
    """Whatever is said, and each learns the other's key."""
    one, other = side(initiator=True, prologue=prologue), side(initiator=False, prologue=prologue)
    assert other.read(one.write(payloads[0])) == payloads[0]
    assert one.read(other.write(payloads[1])) == payloads[1]
    assert other.read(one.write(payloads[2])) == payloads[2]
    assert one.split()[0].encrypt(b"x") != one.split()[1].encrypt(b"x")
    assert one.remote_static != other.remote_static


@given(st.integers(0, 2), st.integers(0, 1 << 20), st.integers(0, 6))
def test_a_changed_bit_ends_it(which: int, place: int, bit: int) -> None:
    """In any message: at the latest when the next encrypted piece is read."""
    with pytest.raises(NoiseError):
        shake_hands_with_a_changed_bit(which, place, bit)


def shake_hands_with_a_changed_bit(which: int, place: int, bit: int) -> None:
    """Of the first message in its key: its payload is open, as the specification says.

    Never the highest bit of a byte, which of an open X25519 key doesn't count.
    """
    writer, reader = side(initiator=True), side(initiator=False)
    for turn in range(3):
        message = bytearray(writer.write(b"payload"))
        if turn == which:
            message[place % (32 if turn == 0 else len(message))] ^= 1 << bit
        reader.read(bytes(message))
        writer, reader = reader, writer


def test_another_prologue_ends_it() -> None:
    """Two that aren't of one mind don't connect."""
    one, other = side(initiator=True, prologue=b"a"), side(initiator=False, prologue=b"b")
    other.read(one.write())
    with pytest.raises(NoiseError, match="changed, repeated or left out"):
        one.read(other.write())


def test_a_message_of_an_earlier_handshake_is_refused() -> None:
    """Each has keys of its own, which what was overheard doesn't fit."""
    one, other = side(initiator=True), side(initiator=False)
    first = one.write()
    other.read(first)
    one.read(other.write())
    last = one.write()
    again = side(initiator=False)
    again.read(first)
    again.write()
    with pytest.raises(NoiseError, match="changed, repeated or left out"):
        again.read(last)


@pytest.mark.parametrize("length", [0, 31])
def test_a_message_that_was_cut_off_is_named(length: int) -> None:
    """With what it had and what it should have had."""
    with pytest.raises(NoiseError, match=f"cut off after {length} bytes; wanted a key of 32"):
        side(initiator=False).read(bytes(length))


def test_one_that_is_too_long_is_named() -> None:
    """Before anything is made of it."""
    with pytest.raises(NoiseError, match="65536 bytes; wanted at most 65535"):
        side(initiator=False).read(bytes(LONGEST_MESSAGE + 1))


def test_a_key_that_shares_nothing_is_refused() -> None:
    """The zero point would give a secret that all know."""
    other = side(initiator=False)
    other.read(bytes(32))
    with pytest.raises(NoiseError, match="shares nothing"):
        other.write()


def test_messages_of_a_connection_come_in_order_and_once() -> None:
    """A repeated one, and one that overtakes, end it."""
    one, other = side(initiator=True), side(initiator=False)
    other.read(one.write())
    one.read(other.write())
    other.read(one.write())
    sends, _ = one.split()
    _, receives = other.split()
    message = sends.encrypt(b"once")
    assert receives.decrypt(message) == b"once"
    with pytest.raises(NoiseError):
        receives.decrypt(message)
