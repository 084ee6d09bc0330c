"""A limit on wrong tokens from one address, so that nobody tries them by the thousand."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque

MOST_FAILURES, WINDOW_S = 10, 300.0
_MOST_ADDRESSES = 10_000


class FailedAttempts:
    """Wrong tokens of late, by address; forgotten when the service ends."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, address: str) -> int:
        """How many seconds the address has to wait before it may try again; 0: none."""
        with self._lock:
            failures = self._recent(address)
            if len(failures) < MOST_FAILURES:
                return 0
            return max(1, round(failures[0] + WINDOW_S - time.monotonic()))

    def note(self, address: str) -> None:
        """Count a wrong token."""
        with self._lock:
            failures = self._recent(address)
            failures.append(time.monotonic())
            self._failures[address] = failures
            self._failures.move_to_end(address)
            while len(self._failures) > _MOST_ADDRESSES:
                self._failures.popitem(last=False)

    def _recent(self, address: str) -> deque[float]:
        failures = self._failures.get(address, deque(maxlen=MOST_FAILURES))
        while failures and failures[0] < time.monotonic() - WINDOW_S:
            failures.popleft()
        return failures
