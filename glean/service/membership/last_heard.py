"""When each member was heard of last, or that it left: in memory, now and then in a file."""

from __future__ import annotations

import datetime as dt
import json
import logging
import threading
import time
from pathlib import Path

from glean.runs.folder import write_whole

LOG = logging.getLogger("glean.service")

WRITTEN_EVERY_S = 30.0
"""Members are heard of every second; so much may be forgotten when the service is killed."""


class LastHeard:
    """When members were heard of.

    Parameters
    ----------
    path : Path
        The file; one that is missing or damaged counts as empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._times = _read(path)
        self._written = time.monotonic()
        self._fresh = False

    def note(self, bakery: str) -> None:
        """Note that a member was heard of just now."""
        with self._lock:
            first = self._times.get(bakery) is None
            self._times[bakery] = dt.datetime.now(dt.UTC)
            self._fresh = True
            due = first or time.monotonic() - self._written >= WRITTEN_EVERY_S
        if due:
            self.write()

    def note_left(self, bakery: str) -> None:
        """Note that a member has left; heard of again, it is back."""
        with self._lock:
            self._times[bakery] = None
            self._fresh = True
        self.write()

    def has_left(self, bakery: str) -> bool:
        """Whether a member said that it leaves, and wasn't heard of since."""
        with self._lock:
            return bakery in self._times and self._times[bakery] is None

    def of(self, bakery: str) -> dt.datetime | None:
        """When a member was heard of last; None where it never was."""
        with self._lock:
            return self._times.get(bakery)

    def write(self) -> None:
        """Write the file, if there is anything new."""
        with self._lock:
            if not self._fresh:
                return
            self._fresh, self._written = False, time.monotonic()
            texts = {
                name: at and at.isoformat(timespec="seconds")
                for name, at in sorted(self._times.items())
            }
            try:
                write_whole(self._path, json.dumps(texts, ensure_ascii=False, indent=1).encode())
            except OSError as error:
                # Nothing depends on it but what the page of members shows.
                LOG.warning("%s can't be written: %s", self._path, error)


def _read(path: Path) -> dict[str, dt.datetime | None]:
    try:
        found = json.loads(path.read_bytes())
        times = {
            str(name): text and dt.datetime.fromisoformat(text) for name, text in found.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
    return {name: at for name, at in times.items() if at is None or at.tzinfo is not None}
