"""What two connected peers say to each other that nobody keeps: told, or asked and replied.

Each goes over the connection of the two alone, so the sender is proved; when that ends, it is lost.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from itertools import count

from glean.errors import FederationError, GleanError
from glean.mesh.call_room import CallRoom
from glean.mesh.frames import Packet, PacketKind
from glean.mesh.peer_connection import PeerConnection
from glean.privacy.peer_handshake import PeerClaim
from glean.runs.log_lines import visible

LOG = logging.getLogger(__name__)

_NUMBER_BYTES = 8
_MOST_TOLD, _MOST_ASKED, _WORKERS = 1000, 64, 4
_MOST_TOLD_EACH, _MOST_ASKED_EACH, _MOST_BYTES_EACH = 250, 16, 8 * 2**20
_MOST_GUESTS_ASK, _GUEST_WORKERS = 16, 1
_DONE, _REFUSED = b"\x01", b"\x00"


class PeerAwayError(FederationError):
    """A peer isn't connected, or doesn't reply in time."""


class CallRefusedError(FederationError):
    """A peer doesn't do what it was asked; its reason is the text."""


@dataclass(frozen=True)
class LiveCall:
    """What a connected peer says.

    Parameters
    ----------
    sender : PeerClaim
        Who: of a member of the mesh the name is proved too, of a guest the key alone.
    member : bool
        Whether it is a member.
    kind : str
        What for.
    body : bytes
        What it says.
    """

    sender: PeerClaim
    member: bool
    kind: str
    body: bytes = field(repr=False)


class _Askers:
    """Who answers questions of one sort of askers, and how many may wait."""

    def __init__(self, most: int, workers: int) -> None:
        self.room = CallRoom(
            most=most, most_each=_MOST_ASKED_EACH, most_bytes_each=_MOST_BYTES_EACH
        )
        self.workers = ThreadPoolExecutor(workers, thread_name_prefix="mesh reply")


class LiveCalls:
    """The functions for what is told and asked, and the replies that are waited for."""

    def __init__(self) -> None:
        self._tellers: dict[str, Callable[[LiveCall], None]] = {}
        self._askers: dict[str, tuple[Callable[[LiveCall], bytes], bool]] = {}
        self._numbers = count(1)
        self._awaited: dict[tuple[PeerConnection, int], Future[bytes]] = {}
        self._told: queue.SimpleQueue[tuple[PeerConnection, LiveCall] | None] = queue.SimpleQueue()
        self._told_room = CallRoom(
            most=_MOST_TOLD, most_each=_MOST_TOLD_EACH, most_bytes_each=_MOST_BYTES_EACH
        )
        # By whether a member asks: guests, who may be anybody, hold up each other alone.
        self._asked = {
            True: _Askers(_MOST_ASKED, _WORKERS),
            False: _Askers(_MOST_GUESTS_ASK, _GUEST_WORKERS),
        }
        self._thread = threading.Thread(target=self._handle_told, name="mesh told", daemon=True)
        self._thread.start()

    def on_tell(self, kind: str, handler: Callable[[LiveCall], None]) -> None:
        """Say what handles what is told of a kind, one after the other."""
        self._tellers[kind] = handler

    def on_ask(
        self, kind: str, handler: Callable[[LiveCall], bytes], *, guests: bool = False
    ) -> None:
        """Say what replies to a kind of question; a GleanError that it raises is the refusal."""
        self._askers[kind] = handler, guests

    def ask(self, connection: PeerConnection, kind: str, body: bytes, timeout_s: float) -> bytes:
        """Ask over a connection, and wait for the reply.

        Raises
        ------
        PeerAwayError
            There is none in time.
        CallRefusedError
            The peer refuses.
        """
        number, reply = next(self._numbers), Future[bytes]()
        self._awaited[connection, number] = reply
        packet = Packet(PacketKind.ASK, _numbered(number, _call(kind, body)))
        try:
            if not connection.offer(packet):
                raise PeerAwayError(f"{connection.name!r} can't be asked: {connection.closed}")
            return reply.result(timeout_s)
        except FutureTimeoutError as error:
            raise PeerAwayError(
                f"{connection.name!r} didn't reply to {kind!r} within {timeout_s:g} s"
            ) from error
        finally:
            self._awaited.pop((connection, number), None)

    def take(self, connection: PeerConnection, packet: Packet, *, member: bool) -> None:
        """Take a packet of this sort from a connection."""
        if packet.kind is PacketKind.REPLY:
            self._take_reply(connection, packet.content)
            return
        asked = packet.kind is PacketKind.ASK
        content = packet.content[_NUMBER_BYTES:] if asked else packet.content
        kind, body = _read_call(content)
        call = LiveCall(connection.remote, member, kind, body)
        if asked:
            self._take_question(connection, int.from_bytes(packet.content[:_NUMBER_BYTES]), call)
            return
        if self._told_room.take(connection, len(body)):
            self._told.put((connection, call))
        else:
            LOG.warning("mesh: %s tells more than can be handled", connection.name)

    def ended(self, connection: PeerConnection, reason: str) -> None:
        """Hear that a connection has ended: nothing more is to be waited for."""
        for (other, _), reply in list(self._awaited.items()):
            if other is connection and not reply.done():
                reply.set_exception(PeerAwayError(f"{connection.name!r} has gone: {reason}"))

    def close(self) -> None:
        """Handle no more."""
        self._told.put(None)
        self._thread.join()
        for asked in self._asked.values():
            asked.workers.shutdown(cancel_futures=True)

    def _take_reply(self, connection: PeerConnection, content: bytes) -> None:
        number, said = int.from_bytes(content[:_NUMBER_BYTES]), content[_NUMBER_BYTES:]
        reply = self._awaited.get((connection, number))
        if reply is None or reply.done():
            return
        if said[:1] == _DONE:
            reply.set_result(said[1:])
        else:
            words = said[1:].decode(errors="replace")[:1000]
            reply.set_exception(CallRefusedError(visible(words)))

    def _take_question(self, connection: PeerConnection, number: int, call: LiveCall) -> None:
        asked = self._asked[call.member]
        if not asked.room.take(connection, len(call.body)):
            self._reply(connection, number, _REFUSED + b"too many questions at a time: ask later")
            return
        try:
            asked.workers.submit(self._answer, connection, number, call)
        except RuntimeError:
            asked.room.give_back(connection, len(call.body))

    def _answer(self, connection: PeerConnection, number: int, call: LiveCall) -> None:
        handler, guests = self._askers.get(call.kind, (_unknown, True))
        try:
            said = _DONE + (handler if call.member or guests else _unknown)(call)
        except GleanError as error:
            said = _REFUSED + str(error).encode(errors="replace")
        except Exception:
            LOG.exception("mesh: %s of %s could not be answered", call.kind, call.sender.name)
            said = _REFUSED + b"internal error: see the log of the peer that was asked"
        finally:
            self._asked[call.member].room.give_back(connection, len(call.body))
        self._reply(connection, number, said)

    def _reply(self, connection: PeerConnection, number: int, said: bytes) -> None:
        connection.offer(Packet(PacketKind.REPLY, _numbered(number, said)))

    def _handle_told(self) -> None:
        while (told := self._told.get()) is not None:
            connection, call = told
            self._told_room.give_back(connection, len(call.body))
            handler = self._tellers.get(call.kind)
            if handler is None:
                LOG.debug("mesh: %s tells %s, which nothing handles", call.sender.name, call.kind)
                continue
            try:
                handler(call)
            except Exception:
                LOG.exception("mesh: %s of %s could not be handled", call.kind, call.sender.name)


def _unknown(call: LiveCall) -> bytes:
    raise FederationError(f"{call.kind!r} isn't answered here, or not to guests")


def tell(connection: PeerConnection, kind: str, body: bytes) -> bool:
    """Tell something over a connection; False where that can't be now."""
    return connection.offer(Packet(PacketKind.TELL, _call(kind, body)))


def _numbered(number: int, content: bytes) -> bytes:
    return number.to_bytes(_NUMBER_BYTES, "big") + content


def _call(kind: str, body: bytes) -> bytes:
    name = kind.encode()
    assert 0 < len(name) < 256, kind
    return bytes([len(name)]) + name + body


def _read_call(content: bytes) -> tuple[str, bytes]:
    if not content or len(content) <= content[0]:
        raise FederationError("found a call that was cut off")
    end = 1 + content[0]
    return content[1:end].decode(errors="replace"), content[end:]
