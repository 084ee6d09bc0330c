"""Messages that came to nothing, by name and reason, in a file that a person can read."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from glean.runs.log_lines import visible

LOG = logging.getLogger(__name__)

_MOST_LINES = 1000
_FOR_ITS_OWNER = 0o600


@dataclass(frozen=True)
class DeadLetter:
    """A message that was given up.

    Parameters
    ----------
    at : float
        When, in seconds since 1970.
    message_id, sender, receiver : str
        Which one.
    reason : str
        Why.
    """

    at: float
    message_id: str
    sender: str
    receiver: str
    reason: str


class DeadLetters:
    """The file, JSON by line; of its older half it forgets what is beyond a thousand.

    Parameters
    ----------
    path : Path
        Where it is.
    told : callable
        Gets each one.
    clock : callable
        Gives seconds since 1970.
    """

    def __init__(
        self,
        path: Path,
        *,
        told: Callable[[DeadLetter], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path, self._told, self._clock = path, told, clock
        self._lock = threading.Lock()
        self._last: deque[DeadLetter] = deque(_read(path), maxlen=_MOST_LINES)
        self._lines = len(self._last)

    def name(self, message_id: str, sender: str, receiver: str, reason: str) -> None:
        """Write one down."""
        reason = visible(reason)  # of which a part may be another peer's words
        letter = DeadLetter(self._clock(), message_id, sender, receiver, reason)
        LOG.warning(
            "mesh: message %s from %s to %s was given up: %s", message_id, sender, receiver, reason
        )
        with self._lock:
            self._last.append(letter)
            self._write(letter)
        self._told(letter)

    def last(self) -> list[DeadLetter]:
        """Give the last ones, the oldest first."""
        with self._lock:
            return list(self._last)

    def _write(self, letter: DeadLetter) -> None:
        self._lines += 1
        lines, mode = [letter], "a"
        if self._lines > 2 * _MOST_LINES:
            lines, mode, self._lines = list(self._last), "w", len(self._last)
        try:
            with open(self._path, mode, encoding="utf-8", opener=_closed_to_others) as file:
                for line in lines:
                    file.write(json.dumps(asdict(line), ensure_ascii=False) + "\n")
        except OSError:
            LOG.exception("mesh: %s can't be written", self._path)


def _closed_to_others(path: str, flags: int) -> int:
    return os.open(path, flags, _FOR_ITS_OWNER)


def _read(path: Path) -> list[DeadLetter]:
    """Read the file; a line that a kill cut off is left out."""
    found = []
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                found.append(DeadLetter(**json.loads(line)))
            except (ValueError, TypeError):
                continue
    except OSError:
        return []
    return found
