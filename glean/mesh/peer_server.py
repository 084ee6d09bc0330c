"""The port that peers connect to: who they are is found out beside it, within limits."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from glean.errors import FederationError
from glean.mesh.connecting import answer
from glean.mesh.mesh_limits import MeshLimits
from glean.mesh.peer_connection import PeerConnection
from glean.mesh.peer_directory import PeerDirectory
from glean.privacy.peer_identity import PeerIdentity

LOG = logging.getLogger(__name__)

_LOOK_S = 0.2
_BACKLOG = 16
_ANYWHERE = "::"


class PeerServer:
    """A listening socket and the handshakes behind it.

    Parameters
    ----------
    listen : tuple of str and int
        Host and port; port 0 takes a free one.
    identity : PeerIdentity
        This peer's keys.
    directory : PeerDirectory
        Its name and mesh.
    limits : MeshLimits
        Its bounds.
    connected : callable
        Gets each connection whose other side has proved its key; who it is isn't looked up yet.

    Raises
    ------
    FederationError
        It can't listen there.
    """

    def __init__(
        self,
        listen: tuple[str, int],
        identity: PeerIdentity,
        directory: PeerDirectory,
        *,
        limits: MeshLimits,
        connected: Callable[[PeerConnection], None],
    ) -> None:
        self._identity, self._directory = identity, directory
        self._limits, self._connected = limits, connected
        family = socket.AF_INET6 if ":" in listen[0] else socket.AF_INET
        try:
            self._socket = socket.create_server(
                listen,
                family=family,
                backlog=_BACKLOG,
                # Where it listens at all addresses, at those of IPv4 too.
                dualstack_ipv6=listen[0] == _ANYWHERE and socket.has_dualstack_ipv6(),
            )
        except OSError as error:
            raise FederationError(
                f"can't listen at {listen[0]}:{listen[1]}: {error.strerror or error}; wanted an "
                "address of this machine and a port that is free"
            ) from error
        self._socket.settimeout(_LOOK_S)
        self._stopped = threading.Event()
        self._room = threading.BoundedSemaphore(limits.most_handshakes)
        # One machine mustn't take the room of all others.
        self._most_of_a_host = max(1, limits.most_handshakes // 2)
        self._handshakes: dict[threading.Thread, tuple[socket.socket, str]] = {}
        self._thread = threading.Thread(target=self._accept, name="mesh server", daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens at."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, and wait for handshakes that go on."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()
        for thread, (connection, _) in list(self._handshakes.items()):
            if thread.is_alive():
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                thread.join()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, place = self._socket.accept()
            except TimeoutError:
                continue
            except OSError as error:
                # Out of descriptors, or a connection that ended before it was taken.
                LOG.warning("mesh: a connection could not be taken: %s", error)
                self._stopped.wait(_LOOK_S)
                continue
            self._begin(connection, place[0])

    def _begin(self, connection: socket.socket, host: str) -> None:
        """Begin a handshake where there is room for it."""
        self._handshakes = {t: s for t, s in self._handshakes.items() if t.is_alive()}
        of_host = sum(other == host for _, other in self._handshakes.values())
        if of_host >= self._most_of_a_host or not self._room.acquire(blocking=False):
            LOG.warning("mesh: %s was turned away: too many say who they are", host)
            connection.close()
            return
        thread = threading.Thread(
            target=self._shake, args=(connection, host), name="mesh handshake", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # there are too many threads
            LOG.warning("mesh: %s was turned away: %s", host, error)
            self._room.release()
            connection.close()
            return
        self._handshakes[thread] = connection, host

    def _shake(self, connection: socket.socket, host: str) -> None:
        try:
            found = answer(
                connection,
                self._identity,
                self._directory.name,
                self._directory.mesh,
                limits=self._limits,
            )
        except FederationError as error:
            LOG.warning("mesh: a connection from %s was refused: %s", host, error)
            return
        finally:
            self._room.release()
        self._connected(found)
