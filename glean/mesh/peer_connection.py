"""A connection to one peer: packets in both directions, encrypted, with bounds and a heartbeat.

Two threads: one reads and hands on what came, one writes what is in the queues. It never opens
itself again; who keeps connections (`connection_table.py`) does that.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from glean.errors import GleanError
from glean.mesh.frames import (
    Packet,
    PacketKind,
    PacketReader,
    framed,
    is_small,
    pieces_of,
    read_frame,
)
from glean.mesh.mesh_limits import MeshLimits
from glean.privacy.noise_handshake import CipherState
from glean.privacy.peer_handshake import PeerClaim
from glean.runs.log_lines import visible

LOG = logging.getLogger(__name__)

_MOST_SMALL, _MOST_LARGE = 256, 16
_BYE_S = 1.0
_OVERHEAD = 1024
"""Bytes of a packet beside the message in it."""


class PeerConnection:
    """An open connection; `start` lets it work.

    Parameters
    ----------
    connection : socket
        Connected; it is this object's from now on.
    keys : tuple of CipherState
        To send with, to receive with.
    remote : PeerClaim
        Who is at the other end, proved.
    dialed : bool
        Whether this side connected.
    limits : MeshLimits
        Its bounds.
    """

    def __init__(
        self,
        connection: socket.socket,
        keys: tuple[CipherState, CipherState],
        remote: PeerClaim,
        *,
        dialed: bool,
        limits: MeshLimits,
    ) -> None:
        self.remote, self.dialed = remote, dialed
        self.opened_at = time.monotonic()
        self.address = _address_of(connection)
        self.sent_bytes = self.received_bytes = 0
        self._socket, (self._sends, self._receives) = connection, keys
        # With a time-out of its own, so that a peer that doesn't read can be let go.
        self._writes_to = connection.dup()
        self._writes_to.settimeout(_BYE_S / 2)
        self._limits = limits
        self._small: deque[Packet] = deque()
        self._large: deque[Packet] = deque()
        self._change = threading.Condition()
        self._closed = ""
        self._threads: list[threading.Thread] = []
        self._at_work = 2

    @property
    def name(self) -> str:
        """Who is at the other end."""
        return self.remote.name

    @property
    def closed(self) -> str:
        """Why it was closed; "" while it is open."""
        return self._closed

    def start(
        self,
        taken: Callable[[PeerConnection, Packet], None],
        ended: Callable[[PeerConnection, str], None],
        *,
        most_bytes: int | None = None,
    ) -> None:
        """Begin to read and write.

        Parameters
        ----------
        taken : callable
            Gets each packet, in the reading thread: what takes long holds the other side up.
        ended : callable
            Gets the reason, once, when the connection has ended.
        most_bytes : int or None
            Of a message that comes; None: what the limits say.
        """
        self._socket.settimeout(self._limits.idle_s)
        reader = PacketReader((most_bytes or self._limits.most_message_bytes) + _OVERHEAD)
        with self._change:
            for work in (lambda: self._read(reader, taken, ended), self._write):
                thread = threading.Thread(target=work, name=f"mesh {self.name}", daemon=True)
                thread.start()
                self._threads.append(thread)

    def offer(self, packet: Packet) -> bool:
        """Put a packet into its queue; False where there is no room, or it is closed."""
        with self._change:
            queue, most = self._large, _MOST_LARGE
            if is_small(packet):
                queue, most = self._small, _MOST_SMALL
            if self._closed or len(queue) >= most:
                return False
            queue.append(packet)
            self._change.notify_all()
        return True

    def close(self, reason: str) -> None:
        """Close it; the other side is told why, if it listens."""
        with self._change:
            if self._closed:
                return
            self._closed = reason
            self._change.notify_all()

    def discard(self, reason: str) -> None:
        """Close it before it was started."""
        self._closed = reason
        with suppress(OSError):
            self._say_bye()
        self._socket.close()
        self._writes_to.close()

    def join(self, timeout_s: float) -> None:
        """Wait until its threads are done."""
        with self._change:
            threads = list(self._threads)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(timeout_s)

    def _read(
        self,
        reader: PacketReader,
        taken: Callable[[PeerConnection, Packet], None],
        ended: Callable[[PeerConnection, str], None],
    ) -> None:
        try:
            while not self._closed:
                frame = read_frame(self._socket)
                self.received_bytes += len(frame)
                packet = reader.add(self._receives.decrypt(frame))
                if packet is not None and packet.kind is PacketKind.BYE:
                    self.close(visible(packet.content.decode(errors="replace")[:200]))
                elif packet is not None and packet.kind is not PacketKind.PING:
                    taken(self, packet)
        except TimeoutError:
            self.close(f"nothing was heard for {self._limits.idle_s:g} s")
        except (OSError, GleanError) as error:
            self.close(str(error) or type(error).__name__)
        except Exception as error:
            LOG.exception("mesh: a packet from %s could not be handled", self.name)
            self.close(f"internal error: {type(error).__name__}")
        finally:
            # The writer says why, and closes the connection.
            self._finish()
            ended(self, self._closed)

    def _write(self) -> None:
        try:
            while (pieces := self._next_pieces()) is not None:
                self._write_all(pieces)
            self._say_bye()
        except OSError as error:
            self.close(str(error) or type(error).__name__)
        finally:
            # Wakes the reader, which waits in the socket; closing alone wouldn't.
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._finish()

    def _write_all(self, pieces: list[bytes]) -> None:
        """Write a packet; what is small overtakes the rest of a large one."""
        for piece in pieces:
            self._write_piece(piece)
            while self._small and len(pieces) > 1:
                self._write_piece(pieces_of(self._small.popleft())[0])
            if self._closed:
                return

    def _write_piece(self, piece: bytes) -> None:
        """Write a piece in the time that a silent peer is given; in a moment, once it is closed."""
        frame = self._sends.encrypt(piece)
        left = memoryview(framed(frame))
        until = time.monotonic() + (_BYE_S if self._closed else self._limits.idle_s)
        while left:
            if self._closed:
                until = min(until, time.monotonic() + _BYE_S)
            try:
                left = left[self._writes_to.send(left) :]
            except TimeoutError:
                if time.monotonic() >= until:
                    raise
        self.sent_bytes += len(frame)

    def _say_bye(self) -> None:
        for piece in pieces_of(Packet(PacketKind.BYE, self._closed.encode()[:1000])):
            self._write_piece(piece)

    def _next_pieces(self) -> list[bytes] | None:
        """Wait for what is to be written next; None once the connection is to be closed."""
        with self._change:
            due = time.monotonic() + self._limits.heartbeat_s
            while not (self._closed or self._small or self._large):
                left = due - time.monotonic()
                if left <= 0:
                    return pieces_of(Packet(PacketKind.PING, b""))
                self._change.wait(left)
            if self._closed:
                return None
            return pieces_of((self._small or self._large).popleft())

    def _finish(self) -> None:
        """End a thread; the last one closes the sockets."""
        with self._change:
            self._at_work -= 1
            if not self._at_work:
                self._socket.close()
                self._writes_to.close()


def _address_of(connection: socket.socket) -> str:
    with suppress(OSError):
        host, port = connection.getpeername()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return ""
