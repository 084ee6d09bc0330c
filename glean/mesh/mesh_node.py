"""A peer at work: it listens, keeps connections to its neighbours, sends, passes on and handles.

What is put together here stands in the modules beside it; none of them knows what messages mean.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from glean.errors import FederationError
from glean.mesh.connection_table import ConnectionTable
from glean.mesh.dead_letters import DeadLetter
from glean.mesh.forwarding import Forwarder
from glean.mesh.frames import Packet, PacketKind
from glean.mesh.guests import Guests
from glean.mesh.incoming import IncomingMessages
from glean.mesh.live_calls import LiveCall, LiveCalls, PeerAwayError, tell
from glean.mesh.mesh_limits import MeshLimits
from glean.mesh.message_handlers import Handler, MessageHandlers
from glean.mesh.message_store import KEY_BYTES, MessageStore
from glean.mesh.node_status import ConnectionStatus, NodeStatus
from glean.mesh.outgoing import OutgoingMessages
from glean.mesh.peer_connection import PeerConnection
from glean.mesh.peer_directory import PeerDirectory
from glean.mesh.peer_server import PeerServer
from glean.privacy.peer_identity import PeerIdentity

LOG = logging.getLogger(__name__)

_LOOK_S = 0.5
_TIDY_S = 1.0


class MeshNode:
    """A peer, from `start` to `close`.

    Parameters
    ----------
    home : Path
        Folder of its files, which no other process uses.
    identity : PeerIdentity
        Its keys.
    directory : PeerDirectory
        Its name, its mesh and whom it knows.
    listen : tuple of str and int
        Host and port; port 0 takes a free one.
    limits : MeshLimits
        Its bounds.
    dead : callable
        Gets each message that was given up.
    clock : callable
        Gives seconds since 1970.

    Raises
    ------
    FederationError
        It can't listen there, or another process uses the files.
    """

    def __init__(
        self,
        home: Path,
        identity: PeerIdentity,
        directory: PeerDirectory,
        *,
        listen: tuple[str, int] = ("127.0.0.1", 0),
        limits: MeshLimits | None = None,
        dead: Callable[[DeadLetter], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        limits = limits or MeshLimits()
        self._directory = directory
        self._wake, self._arrived = threading.Event(), threading.Event()
        self._stopped = threading.Event()
        self._store = MessageStore(home, limits, told=dead, clock=clock)
        self._outgoing = OutgoingMessages(
            self._store, identity, directory, limits=limits, put=self._wake.set
        )
        self._incoming = IncomingMessages(
            self._store, identity, directory, self._outgoing, limits=limits, arrived=self._came
        )
        self._handlers = MessageHandlers(self._store, directory.name)
        self._forwarder = Forwarder(self._store, directory, limits=limits)
        self._table = ConnectionTable(identity, directory, limits=limits, opened=self._begin)
        try:
            self._server = PeerServer(
                listen, identity, directory, limits=limits, connected=self._connected
            )
        except FederationError:
            self._store.close()
            raise
        self._calls = LiveCalls()
        self._guests = Guests(self._calls, limits=limits)
        self._threads = [
            threading.Thread(target=work, name=f"mesh {name}", daemon=True)
            for name, work in (("forwarder", self._forward), ("handlers", self._handle))
        ]

    def start(self) -> None:
        """Begin to listen, to connect and to send."""
        for thread in self._threads:
            thread.start()
        self._server.start()
        self._table.start()

    def close(self) -> None:
        """Let go of everything; what waits stays on disk."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        self._wake.set()
        self._arrived.set()
        self._server.stop()
        self._table.stop()
        self._guests.stop()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._calls.close()
        self._store.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def port(self) -> int:
        """The port that it listens at."""
        return self._server.port

    def send(
        self,
        peer_name: str,
        kind: str,
        body: bytes,
        message_id: str | None = None,
        life_s: float | None = None,
    ) -> str:
        """Send a message, also to who is away: see `OutgoingMessages.send`."""
        return self._outgoing.send(peer_name, kind, body, message_id, life_s)

    def on(self, kind: str, handler: Handler) -> None:
        """Say what handles messages of a kind: see `MessageHandlers.on`."""
        self._handlers.on(kind, handler)
        self._arrived.set()

    def tell(self, peer_name: str, kind: str, body: bytes) -> bool:
        """Tell something to a peer that is connected now; nobody keeps it."""
        connection = self._table.connections().get(peer_name)
        return connection is not None and tell(connection, kind, body)

    def on_tell(self, kind: str, handler: Callable[[LiveCall], None]) -> None:
        """Say what handles what is told of a kind."""
        self._calls.on_tell(kind, handler)

    def ask(self, peer_name: str, kind: str, body: bytes, *, timeout_s: float = 10.0) -> bytes:
        """Ask a peer that is connected now, and wait for its reply: see `LiveCalls.ask`."""
        connection = self._table.connections().get(peer_name)
        if connection is None:
            raise PeerAwayError(f"{peer_name!r} can't be asked: it isn't connected")
        return self._calls.ask(connection, kind, body, timeout_s)

    def on_ask(
        self, kind: str, handler: Callable[[LiveCall], bytes], *, guests: bool = False
    ) -> None:
        """Say what replies to a kind of question, of guests too or of members alone."""
        self._calls.on_ask(kind, handler, guests=guests)

    def neighbours(self) -> list[str]:
        """Name the peers that are connected now."""
        return sorted(self._table.connections())

    def passed_on(self) -> list[tuple[str, str]]:
        """Say from whom to whom it passed messages on of late."""
        return self._forwarder.passed_on()

    def status(self) -> NodeStatus:
        """Say how this node stands."""
        now = time.monotonic()
        connections = self._table.connections()
        return NodeStatus(
            connections=tuple(
                ConnectionStatus(
                    *(name, c.address, c.dialed, now - c.opened_at),
                    *(c.sent_bytes, c.received_bytes),
                )
                for name, c in sorted(connections.items())
            ),
            unreached=self._table.unreached(),
            waiting=self._store.outbox.counts(),
            relayed=self._store.relayed.counts(),
            refused=dict(self._incoming.refused),
            dead_letters=tuple(self._store.dead_letters.last()),
        )

    def _came(self) -> None:
        self._arrived.set()
        self._wake.set()

    def _connected(self, connection: PeerConnection) -> None:
        """Somebody connected: a peer of the mesh by this key, or a guest."""
        peer = self._directory.peer(connection.name)
        if connection.name == self._directory.name:
            connection.discard("this is this peer's own name")
        elif peer is not None and peer.key == connection.remote.key:
            self._table.add(connection)
        else:
            self._guests.add(connection)

    def _begin(self, connection: PeerConnection) -> None:
        self._forwarder.connected(connection.name)
        connection.start(self._taken, self._ended)
        self._wake.set()

    def _ended(self, connection: PeerConnection, reason: str) -> None:
        self._calls.ended(connection, reason)
        self._table.remove(connection, reason)

    def _taken(self, connection: PeerConnection, packet: Packet) -> None:
        """Take a packet from a peer of the mesh."""
        if packet.kind is PacketKind.ENVELOPE:
            if len(packet.content) <= KEY_BYTES:
                raise FederationError(f"found an envelope of {len(packet.content)} bytes")
            key, content = packet.content[1 : 1 + KEY_BYTES], packet.content[1 + KEY_BYTES :]
            receipt = self._incoming.take(content, packet.content[0], connection.name)
            connection.offer(Packet(PacketKind.RECEIPT, key + receipt.to_bytes()))
        elif packet.kind is PacketKind.RECEIPT:
            self._forwarder.answered(connection.name, packet.content)
            self._wake.set()
        else:
            self._calls.take(connection, packet, member=True)

    def _forward(self) -> None:
        tidied = time.monotonic()
        while not self._stopped.is_set():
            self._wake.wait(_LOOK_S)
            self._wake.clear()
            self._guarded(lambda: self._forwarder.forward(self._table.connections()))
            if time.monotonic() - tidied > _TIDY_S:
                tidied = time.monotonic()
                for tidy in (self._outgoing, self._forwarder, self._handlers):
                    self._guarded(tidy.expire)
                self._guests.close_late()

    def _handle(self) -> None:
        while not self._stopped.is_set():
            self._arrived.wait(_LOOK_S)
            self._arrived.clear()
            self._guarded(self._handlers.handle)

    def _guarded(self, work: Callable[[], object]) -> None:
        """Go on after an error: a disk that is full for a while mustn't end a thread."""
        try:
            work()
        except Exception:
            LOG.exception("mesh: something could not be done; it is tried again")
