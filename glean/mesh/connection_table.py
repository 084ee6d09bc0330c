"""Which peers are connected: one connection a pair, opened again when it ends.

Who is a neighbour, the directory says. Two that connect to each other at the same moment keep the
one that the peer whose name comes first has opened; later, and of a peer that was started anew,
the newer one counts, because who connects anew has lost the older.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from glean.errors import FederationError
from glean.mesh.connecting import dial
from glean.mesh.mesh_limits import MeshLimits
from glean.mesh.peer_connection import PeerConnection
from glean.mesh.peer_directory import KnownPeer, PeerDirectory
from glean.privacy.peer_handshake import PeerRefusedError
from glean.privacy.peer_identity import PeerIdentity

LOG = logging.getLogger(__name__)

_AT_THE_SAME_MOMENT_S = 10.0
_LOOK_S = 0.2
_LASTING_S = 10.0
"""A connection that ends sooner is no reason to call that peer again at once."""

_SOON_S = 3.0
"""When others are called after somebody is reached again: what kept one away kept them too."""

_END_S = 1.0
_JITTER = random.SystemRandom()


@dataclass
class _Backoff:
    """When a peer is called next, and how long after that if it isn't reached."""

    next_at: float = 0.0
    wait_s: float = 0.0
    calling: bool = False
    reason: str = ""


class ConnectionTable:
    """The connections of a node.

    Parameters
    ----------
    identity : PeerIdentity
        Its keys.
    directory : PeerDirectory
        Whom it knows, and who are its neighbours.
    limits : MeshLimits
        Its bounds.
    opened : callable
        Gets each connection that counts, to start it.
    """

    def __init__(
        self,
        identity: PeerIdentity,
        directory: PeerDirectory,
        *,
        limits: MeshLimits,
        opened: Callable[[PeerConnection], None],
    ) -> None:
        self._identity, self._directory = identity, directory
        self._limits, self._opened = limits, opened
        self._lock = threading.RLock()
        self._connections: dict[str, PeerConnection] = {}
        self._backoff: dict[str, _Backoff] = {}
        self._calls: set[threading.Thread] = set()
        self._stopped = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="mesh dialer", daemon=True)

    def start(self) -> None:
        """Begin to call neighbours."""
        self._keeper.start()

    def connections(self) -> dict[str, PeerConnection]:
        """Give the open connections, by peer."""
        with self._lock:
            return {name: c for name, c in self._connections.items() if not c.closed}

    def unreached(self) -> dict[str, str]:
        """Give the neighbours that aren't connected, and why."""
        connected = self.connections()
        with self._lock:
            wanted = self._directory.neighbours(self._directory.name) - connected.keys()
            return {
                name: self._backoff[name].reason if name in self._backoff else ""
                for name in sorted(wanted)
            }

    def add(self, connection: PeerConnection) -> bool:
        """Take a connection into the table; False, and closed, where another one counts."""
        with self._lock:
            older = self._connections.get(connection.name)
            if self._stopped.is_set():
                connection.discard("this peer stops")
                return False
            if older is not None and not older.closed and not self._counts(connection, older):
                connection.discard("there is a connection already")
                return False
            if older is None and len(self._connections) >= self._limits.most_connections:
                connection.discard(f"there are {len(self._connections)} connections already")
                return False
            self._connections[connection.name] = connection
            if older is None:
                self._call_others_soon()
        if older is not None:
            older.close("there is a newer connection")
        LOG.info("mesh: connected with %s at %s", connection.name, connection.address)
        self._opened(connection)
        return True

    def remove(self, connection: PeerConnection, reason: str) -> None:
        """Hear that a connection has ended."""
        with self._lock:
            if self._connections.get(connection.name) is connection:
                del self._connections[connection.name]
                if time.monotonic() - connection.opened_at >= _LASTING_S:
                    self._backoff.setdefault(connection.name, _Backoff()).wait_s = 0.0
                self._fail(connection.name, reason)
        LOG.info("mesh: no longer connected with %s: %s", connection.name, reason)

    def stop(self) -> None:
        """Close all of them, and call nobody any more."""
        self._stopped.set()
        with self._lock:
            connections, calls = list(self._connections.values()), list(self._calls)
        for connection in connections:
            connection.close("this peer stops")
        for connection in connections:
            connection.join(self._limits.idle_s)
        if self._keeper.is_alive():
            self._keeper.join()
        # Calls may go on for long; who is reached then is told that this peer has stopped.
        until = time.monotonic() + _END_S
        for call in calls:
            call.join(max(0.0, until - time.monotonic()))

    def _counts(self, newer: PeerConnection, older: PeerConnection) -> bool:
        """Whether the newer of two connections with a peer is the one to keep."""
        if newer.dialed == older.dialed or newer.remote.session != older.remote.session:
            return True
        if newer.opened_at - older.opened_at > _AT_THE_SAME_MOMENT_S:
            return True
        return newer.dialed == (self._directory.name < newer.name)

    def _keep(self) -> None:
        while not self._stopped.wait(_LOOK_S):
            try:
                self._close_strangers()
                for name in self._due():
                    self._begin_call(name)
            except Exception:
                LOG.exception("mesh: peers could not be called; it is tried again")

    def _begin_call(self, name: str) -> None:
        call = threading.Thread(
            target=self._call, args=(name,), name=f"mesh call {name}", daemon=True
        )
        with self._lock:
            try:
                call.start()
            except RuntimeError as error:  # there are too many threads
                self._backoff[name].calling = False
                self._fail(name, str(error))
                return
            self._calls = {c for c in self._calls if c.is_alive()} | {call}

    def _call_others_soon(self) -> None:
        soon = time.monotonic() + _SOON_S * _JITTER.uniform(0.5, 1.0)
        for backoff in self._backoff.values():
            backoff.next_at = min(backoff.next_at, soon)

    def _close_strangers(self) -> None:
        """Close connections with peers that have left the mesh or changed their keys."""
        for name, connection in self.connections().items():
            peer = self._directory.peer(name)
            if peer is None or peer.key != connection.remote.key:
                connection.close("the peer no longer belongs to the mesh by this key")

    def _due(self) -> Iterator[str]:
        now = time.monotonic()
        connected = self.connections()
        for name in self._directory.neighbours(self._directory.name) - connected.keys():
            peer = self._directory.peer(name)
            if peer is None or not peer.addresses or name == self._directory.name:
                continue
            with self._lock:
                backoff = self._backoff.setdefault(name, _Backoff())
                if backoff.calling or backoff.next_at > now:
                    continue
                backoff.calling = True
            yield name

    def _call(self, name: str) -> None:
        peer = self._directory.peer(name)
        reason = ""
        with self._ends_call(name):
            for address in () if peer is None else peer.addresses:
                if self._stopped.is_set() or name in self.connections():
                    return
                assert peer is not None
                try:
                    connection = self._dial(address, peer)
                except FederationError as error:
                    LOG.debug("mesh: %s: %s", name, error)
                    reason = str(error)
                else:
                    if self.add(connection):
                        return
                    reason = connection.closed
            self._fail(name, reason)

    def _dial(self, address: str, peer: KnownPeer) -> PeerConnection:
        connection = dial(
            address,
            self._identity,
            self._directory.name,
            self._directory.mesh,
            expected=peer.key.signing_key,
            limits=self._limits,
        )
        if connection.name != peer.name:
            connection.discard("this is another peer's address")
            raise PeerRefusedError(
                f"{address}: found {connection.name!r}, with the same key; wanted {peer.name!r}"
            )
        return connection

    @contextmanager
    def _ends_call(self, name: str) -> Iterator[None]:
        try:
            yield
        finally:
            with self._lock:
                if name in self._backoff:
                    self._backoff[name].calling = False

    def _fail(self, name: str, reason: str) -> None:
        """Wait longer before the next call, up to a limit, and not all peers alike."""
        limits = self._limits
        with self._lock:
            backoff = self._backoff.setdefault(name, _Backoff())
            backoff.wait_s = min(
                max(2 * backoff.wait_s, limits.first_backoff_s), limits.longest_backoff_s
            )
            backoff.next_at = time.monotonic() + backoff.wait_s * _JITTER.uniform(0.5, 1.0)
            backoff.reason = reason
