"""Packets go through frames as they were, and what is no packet is refused and named."""

from __future__ import annotations

import socket
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.errors import FederationError
from glean.mesh.addresses import host_and_port
from glean.mesh.frames import (
    PIECE_BYTES,
    ConnectionLostError,
    Packet,
    PacketKind,
    PacketReader,
    pieces_of,
    read_frame,
    write_frame,
)

LARGE = 3 * PIECE_BYTES


@given(st.lists(st.tuples(st.sampled_from(PacketKind), st.integers(0, LARGE)), max_size=5))
def test_packets_come_out_as_they_went_in(packets: list[tuple[PacketKind, int]]) -> None:
    """Of any length, the limits of a piece among them."""
    made = [Packet(kind, bytes([n]) * length) for n, (kind, length) in enumerate(packets)]
    reader = PacketReader(LARGE)
    pieces = [piece for packet in made for piece in pieces_of(packet)]
    assert all(len(piece) <= PIECE_BYTES + 2 for piece in pieces)
    assert [found for piece in pieces if (found := reader.add(piece))] == made


def test_what_is_small_overtakes() -> None:
    """Between any two pieces of something large."""
    large, small = Packet(PacketKind.ENVELOPE, bytes(LARGE)), Packet(PacketKind.TELL, b"now")
    reader = PacketReader(LARGE)
    first, *rest = pieces_of(large)
    assert reader.add(first) is None
    assert reader.add(pieces_of(small)[0]) == small
    assert [found for piece in rest if (found := reader.add(piece))] == [large]


@pytest.mark.parametrize(
    ("piece", "words"),
    [
        (b"", "no part of a packet"),
        (b"\x07\x01abc", "no part of a packet"),
        (b"\x00", "of the kind b''"),
        (b"\x00\x63abc", "of the kind b'c'"),
        (b"\x00\x01" + bytes(PIECE_BYTES + 1), "no part of a packet"),
        (b"\x01\x01\xff\xff\xff\xff" + b"x", "packet of 4294967295 bytes; wanted at most 49152"),
        (b"\x01\x01\x00\x00\x00\x01xy", "goes on after its end"),
        (b"\x01\x01\x00\x00\x00\x01", "or is empty"),
    ],
)
def test_what_is_no_packet_is_named(piece: bytes, words: str) -> None:
    """At its first frame, before anything is kept of it."""
    with pytest.raises(ConnectionLostError, match=words):
        PacketReader(LARGE).add(piece)


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_noise_ends_in_that_error_alone(pieces: list[bytes]) -> None:
    """Whatever comes."""
    reader = PacketReader(100)
    try:
        for piece in pieces:
            reader.add(piece)
    except ConnectionLostError:
        pass


def test_frames_have_a_limit_and_a_deadline() -> None:
    """A longer one isn't read, and one that trickles isn't waited for."""
    one, other = socket.socketpair()
    with one, other:
        write_frame(one, b"x" * 100)
        assert read_frame(other, deadline=time.monotonic() + 5.0) == b"x" * 100
        write_frame(one, b"x" * 100)
        with pytest.raises(ConnectionLostError, match="frame of 100 bytes; wanted at most 99"):
            read_frame(other, most=99)
        one.sendall(b"\x00\x05abc")
        with pytest.raises(TimeoutError):
            read_frame(other, deadline=time.monotonic() + 0.05)
        one.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionResetError):
            read_frame(other, deadline=time.monotonic() + 5.0)


@pytest.mark.parametrize(
    "address", ["", "mill", "mill:", ":7700", "mill:0", "mill:65536", "::1:77"]
)
def test_an_address_that_is_none_is_named(address: str) -> None:
    """With what one looks like."""
    with pytest.raises(FederationError, match="wanted HOST:PORT, like"):
        host_and_port(address)


def test_tiny_pieces_take_no_more_memory_than_they_hold() -> None:
    """Whoever cuts a packet into crumbs fills nothing by that."""
    count = 100_000
    reader = PacketReader(2 * count)
    crumb = b"\x01xx"
    tracemalloc.start()
    try:
        reader.add(b"\x01\x03" + (2 * count).to_bytes(4, "big") + b"xx")
        for _ in range(count - 2):
            assert reader.add(crumb) is None
        assert tracemalloc.get_traced_memory()[1] < 8 * count
    finally:
        tracemalloc.stop()
    assert reader.add(crumb) == Packet(PacketKind.TELL, b"x" * 2 * count)
