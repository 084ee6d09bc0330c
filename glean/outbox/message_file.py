"""A SQLite file of one process: what is committed is on disk, also through a kill.

`Outbox` and `Inbox` each keep one. Several threads may use it; a second process is refused, because
two would send what is in it twice.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from glean.errors import FederationError

_FOR_ITS_OWNER = 0o600
_WAIT_S = 5.0
"""For a process that is ending, like the one that this one takes over from."""


class MessageFile:
    """The file, open and locked until it is closed.

    Parameters
    ----------
    path : Path
        Made where there is none, readable for its owner alone.
    tables : sequence of str
        SQL that makes what it needs where that isn't there.

    Raises
    ------
    FederationError
        It can't be used, or another process has it open.
    """

    def __init__(self, path: Path, tables: Sequence[str]) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            _make(path)
            self._connection = sqlite3.connect(
                path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from error
        try:
            self._prepare(tables)
        except sqlite3.Error as error:
            self._connection.close()
            raise _unusable(path, error) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction; it is on disk at the end, or nothing of it where the body raises.

        Raises
        ------
        FederationError
            The file can't be read or written, or was closed.
        """
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._roll_back()
                raise _unusable(self.path, error) from error
            except BaseException:
                self._roll_back()
                raise

    def close(self) -> None:
        """Let go of the file; what was committed stays."""
        with self._lock:
            self._connection.close()

    def _prepare(self, tables: Sequence[str]) -> None:
        # Held until the file is closed or the process is gone, by whatever way it goes.
        self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._connection.execute("PRAGMA journal_mode = WAL")
        # A commit waits for the disk: what was put may be the only copy of a message.
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("BEGIN EXCLUSIVE")
        for statement in tables:
            self._connection.execute(statement)
        self._connection.execute("COMMIT")

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _make(path: Path) -> None:
    """Make the file closed to others from the start; SQLite's files beside it take its mode."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _FOR_ITS_OWNER))


def _unusable(path: Path, error: Exception) -> FederationError:
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return FederationError(
            f"{path}: found it in use by another process; wanted one at a time: end that one first"
        )
    text = getattr(error, "strerror", None) or str(error)
    return FederationError(
        f"{path} can't be used: {text}; wanted a file that this process may write, on a disk with "
        "room: mend that, or move the file away to begin with an empty one"
    )
