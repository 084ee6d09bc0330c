"""Room for what others say until it is handled: so much of all together, and of each of them.

Whoever says too much is heard less, and keeps nobody else from being heard.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Hashable


class CallRoom:
    """How much of whom waits; several threads may use it.

    Parameters
    ----------
    most : int
        Of all together.
    most_each : int
        Of one.
    most_bytes_each : int
        Of one, together; a single one may have more.
    """

    def __init__(self, *, most: int, most_each: int, most_bytes_each: int) -> None:
        self._most, self._most_each, self._most_bytes = most, most_each, most_bytes_each
        self._lock = threading.Lock()
        self._counts: Counter[Hashable] = Counter()
        self._bytes: Counter[Hashable] = Counter()

    def take(self, who: Hashable, size: int) -> bool:
        """Take room for something of so many bytes; False where there is none."""
        with self._lock:
            count, held = self._counts[who], self._bytes[who]
            if self._counts.total() >= self._most or count >= self._most_each:
                return False
            if count and held + size > self._most_bytes:
                return False
            self._counts[who] += 1
            self._bytes[who] += size
            return True

    def give_back(self, who: Hashable, size: int) -> None:
        """Say that it was handled."""
        with self._lock:
            self._counts[who] -= 1
            self._bytes[who] -= size
            if not self._counts[who]:
                del self._counts[who], self._bytes[who]
