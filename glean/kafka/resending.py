"""When a message that isn't acknowledged is sent again: soon at first, later each time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

FIRST_S, LONGEST_S = 4.0, 60.0
FAILED_S = 0.5
"""After a try of which the broker has taken nothing."""


class Resending:
    """Knows when each message was tried.

    Parameters
    ----------
    sending : callable
        Whether a message still waits for the broker.
    clock : callable
        Seconds that only go up.

    Examples
    --------
    >>> now = [0.0]
    >>> resending = Resending(lambda message_id: False, clock=lambda: now[0])
    >>> resending.due("a"), resending.tried("a"), resending.due("a")
    (True, None, False)
    >>> now[0] = 4.0
    >>> resending.due("a")
    True
    """

    def __init__(
        self, sending: Callable[[str], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sending, self._clock = sending, clock
        self._lock = threading.Lock()
        self._tries: dict[str, int] = {}
        self._next: dict[str, float] = {}

    def due(self, message_id: str) -> bool:
        """Whether it is to be sent now."""
        if self._sending(message_id):
            return False
        with self._lock:
            return self._next.get(message_id, 0.0) <= self._clock()

    def tried(self, message_id: str) -> None:
        """Note that it is sent now."""
        with self._lock:
            tries = self._tries.get(message_id, 0)
            self._tries[message_id] = tries + 1
            self._next[message_id] = self._clock() + min(LONGEST_S, FIRST_S * 2.0 ** min(tries, 8))

    def failed(self, message_id: str) -> None:
        """Note that the broker doesn't have it."""
        with self._lock:
            if message_id in self._next:
                self._next[message_id] = self._clock() + FAILED_S

    def all_due(self) -> None:
        """Have all sent now: the broker may have forgotten what it had."""
        with self._lock:
            self._next.clear()
            self._tries.clear()

    def keep(self, message_ids: Iterable[str]) -> None:
        """Forget all but these."""
        wanted = set(message_ids)
        with self._lock:
            for known in (self._tries, self._next):
                for message_id in known.keys() - wanted:
                    del known[message_id]
