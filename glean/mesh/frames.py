"""Frames on a socket: two bytes of length, then so many bytes; and packets, cut into frames.

A packet is a kind and its contents. Small ones go in one frame and overtake large ones, of which
the frames go one after the other.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from glean.errors import FederationError

MOST_FRAME_BYTES: Final = 65535
PIECE_BYTES: Final = 16 * 1024
"""Small enough that what is urgent waits for one at most, also on a slow link."""

_SMALL, _LARGE = 0, 1
_KIND_BYTES, _LENGTH_BYTES = 1, 4


class ConnectionLostError(FederationError):
    """A connection has ended, or what came isn't what this protocol has."""


class PacketKind(IntEnum):
    """What a packet holds."""

    ENVELOPE = 1
    """How many hands it may still go through (a byte), and a sealed envelope."""
    RECEIPT = 2
    """What became of an envelope."""
    TELL = 3
    """A message for the peer itself that nobody keeps."""
    PING = 4
    """Nothing: the sender is there."""
    BYE = 5
    """Why the sender closes the connection."""
    ASK = 6
    """A question to the peer itself."""
    REPLY = 7
    """The answer to it."""


@dataclass(frozen=True)
class Packet:
    """A kind and its contents."""

    kind: PacketKind
    content: bytes = field(repr=False)


def write_frame(connection: socket.socket, frame: bytes) -> None:
    """Send a frame.

    Raises
    ------
    OSError
        The connection has ended, or the other side doesn't read.
    """
    connection.sendall(framed(frame))


def framed(frame: bytes) -> bytes:
    """Give a frame as it goes over a socket."""
    assert len(frame) <= MOST_FRAME_BYTES, len(frame)
    return len(frame).to_bytes(2, "big") + frame


def read_frame(
    connection: socket.socket, *, deadline: float | None = None, most: int = MOST_FRAME_BYTES
) -> bytes:
    """Read a frame.

    Parameters
    ----------
    connection : socket
        Where from.
    deadline : float or None
        By when it must be there, of `time.monotonic`; None: the socket's own time-out holds.
    most : int
        Bytes that it may have.

    Raises
    ------
    ConnectionLostError
        It has more.
    OSError
        The connection has ended (`ConnectionError`) or is silent (`TimeoutError`).
    """
    length = int.from_bytes(_read(connection, 2, deadline), "big")
    if length > most:
        raise ConnectionLostError(f"found a frame of {length} bytes; wanted at most {most}")
    return _read(connection, length, deadline)


def pieces_of(packet: Packet) -> list[bytes]:
    """Cut a packet into what each frame carries."""
    head = bytes([packet.kind])
    if is_small(packet):
        return [bytes([_SMALL]) + head + packet.content]
    content = head + len(packet.content).to_bytes(_LENGTH_BYTES, "big") + packet.content
    return [
        bytes([_LARGE]) + content[at : at + PIECE_BYTES]
        for at in range(0, len(content), PIECE_BYTES)
    ]


def is_small(packet: Packet) -> bool:
    """Whether a packet goes in one frame, and overtakes large ones."""
    return len(packet.content) <= PIECE_BYTES


class PacketReader:
    """Puts packets together.

    Parameters
    ----------
    most_bytes : int
        Of a packet; a larger one is refused at its first frame.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._kind = PacketKind.PING
        self._missing = 0
        self._content = bytearray()  # not a list, which a sender of tiny pieces makes very large

    def add(self, piece: bytes) -> Packet | None:
        """Take what a frame carried; the packet that it ends, if it ends one.

        Raises
        ------
        ConnectionLostError
            It isn't part of a packet.
        """
        stream, rest = piece[:1], piece[1:]
        if stream == bytes([_SMALL]) and len(rest) <= _KIND_BYTES + PIECE_BYTES:
            return Packet(_kind_of(rest), rest[_KIND_BYTES:])
        if stream != bytes([_LARGE]):
            raise ConnectionLostError(
                f"found a frame of {len(piece)} bytes that is no part of a packet; wanted those of "
                "this version of the mesh"
            )
        return self._add_large(rest)

    def _add_large(self, rest: bytes) -> Packet | None:
        if not self._content:
            self._kind = _kind_of(rest)
            head = _KIND_BYTES + _LENGTH_BYTES
            self._missing = int.from_bytes(rest[_KIND_BYTES:head], "big")
            if self._missing > self._most_bytes:
                raise ConnectionLostError(
                    f"found a packet of {self._missing} bytes; wanted at most {self._most_bytes}"
                )
            rest = rest[head:]
        self._missing -= len(rest)
        if self._missing < 0 or not rest:
            raise ConnectionLostError("found a packet that goes on after its end, or is empty")
        self._content += rest
        if self._missing:
            return None
        content, self._content = bytes(self._content), bytearray()
        return Packet(self._kind, content)


def _kind_of(content: bytes) -> PacketKind:
    try:
        return PacketKind(content[0])
    except (ValueError, IndexError) as error:
        raise ConnectionLostError(
            f"found a packet of the kind {content[:1]!r}; wanted one of "
            f"{[int(kind) for kind in PacketKind]}: the other side may be of a newer version"
        ) from error


def _read(connection: socket.socket, count: int, deadline: float | None) -> bytes:
    parts = []
    while count:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the other side took too long")
            connection.settimeout(left)
        part = connection.recv(min(count, MOST_FRAME_BYTES))
        if not part:
            raise ConnectionResetError("the other side closed the connection")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
