"""Which messages were taken, so that one that comes again has no second effect."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from glean.outbox.message_file import MessageFile

_TABLES = (
    "CREATE TABLE IF NOT EXISTS taken (sender TEXT NOT NULL, message_id TEXT NOT NULL, "
    "taken_at REAL NOT NULL, PRIMARY KEY (sender, message_id)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS by_age ON taken (taken_at)",
)


_COUNT_S = 10.0
"""Names of who has no room are counted that often: it takes a moment where they are many."""


class Inbox:
    """A file of names of messages, of one process and any of its threads.

    Parameters
    ----------
    path : Path
        The file; made where there is none.
    expires_s : float
        How long a name is kept, in seconds: longer than any message may travel.
    most_each : int
        Names of one sender's messages; see `has_room`.
    clock : callable
        Gives seconds since 1970.

    Raises
    ------
    FederationError
        The file can't be used; so do all methods, where they find that.
    """

    def __init__(
        self,
        path: Path,
        *,
        expires_s: float,
        most_each: int = 1_000_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = MessageFile(path, _TABLES)
        self._expires_s, self._clock, self._most_each = expires_s, clock, most_each
        self._counts: dict[str, int] = {}
        self._full_at: dict[str, float] = {}

    def seen(self, sender: str, message_id: str) -> bool:
        """Whether a message was taken."""
        with self._file.transaction() as database:
            found = database.execute(
                "SELECT 1 FROM taken WHERE sender = ? AND message_id = ?", (sender, message_id)
            ).fetchone()
        return found is not None

    def has_room(self, sender: str) -> bool:
        """Whether fewer than `most_each` names of a sender are kept: so nobody fills the disk."""
        now = self._clock()
        if abs(now - self._full_at.get(sender, -_COUNT_S)) < _COUNT_S:
            return False
        if sender not in self._counts or self._counts[sender] >= self._most_each:
            self._counts[sender] = self._count(sender)
        if self._counts[sender] < self._most_each:
            return True
        self._full_at[sender] = now
        return False

    def _count(self, sender: str) -> int:
        """Count names that are kept; those that may be forgotten are, first."""
        with self._file.transaction() as database:
            self._forget(database)
            counted = "SELECT COUNT(*) FROM taken WHERE sender = ?"
            return int(database.execute(counted, (sender,)).fetchone()[0])

    def _forget(self, database: sqlite3.Connection) -> None:
        until = self._clock() - self._expires_s
        database.execute("DELETE FROM taken WHERE taken_at <= ?", (until,))

    def take(self, sender: str, message_id: str, *, keep_s: float | None = None) -> bool:
        """Note that a message was taken; True the first time. It is on disk when this returns.

        Parameters
        ----------
        sender, message_id : str
            Which one.
        keep_s : float or None
            How long its name is kept, where that is less than others are.
        """
        now = self._clock()
        taken_at = now if keep_s is None else now - max(0.0, self._expires_s - keep_s)
        with self._file.transaction() as database:
            self._forget(database)
            done = database.execute(
                "INSERT OR IGNORE INTO taken VALUES (?, ?, ?)", (sender, message_id, taken_at)
            )
            if sender in self._counts:
                self._counts[sender] += done.rowcount
            return done.rowcount > 0

    def close(self) -> None:
        """Let go of the file; what was taken stays in it."""
        self._file.close()
