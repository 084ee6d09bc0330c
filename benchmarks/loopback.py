"""What all processes of this network namespace send each other on this machine, as time goes on."""

from __future__ import annotations

import bisect
import threading
import time
from pathlib import Path
from typing import Self

_COUNTERS = Path("/proc/net/dev")
_EVERY_S = 0.02


class LoopbackBytes:
    """Reads the counter of the loopback device while a `with` lasts."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._counts: list[int] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, name="loopback bytes")

    def __enter__(self) -> Self:
        self._note()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        self._note()

    def until(self, moment: float) -> int:
        """Give how many bytes had passed by a time of day, in seconds since 1970."""
        place = bisect.bisect_right(self._times, moment)
        return self._counts[max(0, place - 1)] - self._counts[0]

    def _read(self) -> None:
        while not self._ended.wait(_EVERY_S):
            self._note()

    def _note(self) -> None:
        self._counts.append(bytes_so_far())
        self._times.append(time.time())


def bytes_so_far() -> int:
    """Give the bytes that the loopback device has taken since it is up."""
    for line in _COUNTERS.read_text(encoding="ascii").splitlines():
        name, _, counts = line.partition(":")
        if name.strip() == "lo":
            return int(counts.split()[0])
    raise OSError(f"{_COUNTERS} has no loopback device")
