"""Messages that came are handled: each by the function of its kind, once.

A message leaves the disk when its handler has returned. After a kill in the middle of a handler it
is handled anew; a handler whose effect mustn't come twice goes by the message's name.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from glean.errors import FederationError
from glean.mesh.message_store import ACKNOWLEDGEMENT, MeshMessage, MessageStore

LOG = logging.getLogger(__name__)

Handler = Callable[[MeshMessage], None]

_MOST_ATTEMPTS = 5
_FIRST_RETRY_S = 0.25


class MessageHandlers:
    """The functions, and what waits for them.

    Parameters
    ----------
    store : MessageStore
        Where messages wait.
    own : str
        This peer's name.
    clock : callable
        Gives seconds that never go back.
    """

    def __init__(
        self, store: MessageStore, own: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._own, self._clock = store, own, clock
        self._handlers: dict[str, Handler] = {}
        self._next_at: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._lock = threading.Lock()

    def on(self, kind: str, handler: Handler) -> None:
        """Say what handles messages of a kind; those that came before wait for it.

        Raises
        ------
        FederationError
            The kind has a handler, or is the mesh's own.
        """
        with self._lock:
            if kind in self._handlers or kind == ACKNOWLEDGEMENT:
                raise FederationError(f"kind {kind!r}: found a handler already; wanted one a kind")
            self._handlers[kind] = handler

    def handle(self) -> int:
        """Handle what waits; how many messages that were."""
        with self._lock:
            handlers = dict(self._handlers)
        done = 0
        for kind, handler in handlers.items():
            for waiting in self._store.arrived.waiting(kind):
                if self._next_at.get(waiting.message_id, 0.0) <= self._clock():
                    done += self._handle(waiting.message_id, handler)
        return done

    def expire(self) -> None:
        """Give up what no handler has taken."""
        for old in self._store.arrived.expire():
            self._give_up(MeshMessage.of(old.body), f"no handler took it: kind {old.receiver!r}")

    def _handle(self, key: str, handler: Handler) -> bool:
        found = self._store.arrived.give(key)
        if found is None:
            return False
        message = MeshMessage.of(found.body)
        if not self._store.inbox.seen(message.sender, message.message_id):
            # The process was killed while it took this one: it comes again, see `incoming.py`.
            return False
        try:
            handler(message)
        except Exception as error:  # noqa: BLE001 # whatever a handler raises is its message's end
            self._failed(key, message, error)
            return False
        self._done(key)
        return True

    def _failed(self, key: str, message: MeshMessage, error: Exception) -> None:
        self._failures[key] = self._failures.get(key, 0) + 1
        self._next_at[key] = self._clock() + _FIRST_RETRY_S * 2 ** self._failures[key]
        if self._failures[key] < _MOST_ATTEMPTS:
            LOG.warning(
                "mesh: message %s of the kind %s from %s could not be handled: %s",
                *(message.message_id, message.kind, message.sender, error),
                exc_info=not isinstance(error, FederationError),
            )
            return
        self._done(key)
        self._give_up(message, f"its handler failed {_MOST_ATTEMPTS} times, at last by: {error}")

    def _done(self, key: str) -> None:
        self._store.arrived.acknowledge(key)
        self._failures.pop(key, None)
        self._next_at.pop(key, None)

    def _give_up(self, message: MeshMessage, reason: str) -> None:
        self._store.dead_letters.name(message.message_id, message.sender, self._own, reason)
