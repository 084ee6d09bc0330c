"""Which messages were taken, so that one that comes again has no second effect."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from glean.outbox.message_file import MessageFile

_TABLES = (
    "CREATE TABLE IF NOT EXISTS taken (sender TEXT NOT NULL, message_id TEXT NOT NULL, "
    "taken_at REAL NOT NULL, PRIMARY KEY (sender, message_id)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS by_age ON taken (taken_at)",
)


class Inbox:
    """A file of names of messages, of one process and any of its threads.

    Parameters
    ----------
    path : Path
        The file; made where there is none.
    expires_s : float
        How long a name is kept, in seconds: longer than any message may travel.
    clock : callable
        Gives seconds since 1970.

    Raises
    ------
    FederationError
        The file can't be used; so do all methods, where they find that.
    """

    def __init__(
        self, path: Path, *, expires_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._file = MessageFile(path, _TABLES)
        self._expires_s, self._clock = expires_s, clock

    def seen(self, sender: str, message_id: str) -> bool:
        """Whether a message was taken."""
        with self._file.transaction() as database:
            found = database.execute(
                "SELECT 1 FROM taken WHERE sender = ? AND message_id = ?", (sender, message_id)
            ).fetchone()
        return found is not None

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
            database.execute("DELETE FROM taken WHERE taken_at <= ?", (now - self._expires_s,))
            done = database.execute(
                "INSERT OR IGNORE INTO taken VALUES (?, ?, ?)", (sender, message_id, taken_at)
            )
            return done.rowcount > 0

    def close(self) -> None:
        """Let go of the file; what was taken stays in it."""
        self._file.close()
