"""Messages to send, on disk until their receiver acknowledges them: bounded, and they expire."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from glean.errors import FederationError
from glean.outbox.message_file import MessageFile

_TABLES = (
    "CREATE TABLE IF NOT EXISTS messages ("
    "place INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT NOT NULL UNIQUE, "
    "receiver TEXT NOT NULL, origin TEXT NOT NULL, size INTEGER NOT NULL, put_at REAL NOT NULL, "
    "attempts INTEGER NOT NULL, tried_at REAL, body BLOB NOT NULL)",
    "CREATE INDEX IF NOT EXISTS by_receiver ON messages (receiver, place)",
    "CREATE TABLE IF NOT EXISTS short_lived ("
    "message_id TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID",
)


class OutboxFullError(FederationError):
    """There is no room for a further message until some are acknowledged or expire."""


@dataclass(frozen=True)
class OutboxMessage:
    """A message to send.

    Parameters
    ----------
    message_id, receiver : str
        Its name, and whom it is for.
    body : bytes
        What to send.
    put_at : float
        When it was put, in seconds since 1970.
    attempts : int
        How often it was given out to be sent, this time included.
    """

    message_id: str
    receiver: str
    body: bytes
    put_at: float
    attempts: int


@dataclass(frozen=True)
class WaitingMessage:
    """A message that waits, without its body.

    Parameters
    ----------
    message_id, receiver, origin : str
        Its name, whom it is for, and from whom it came; "" where that wasn't said.
    size : int
        Bytes of its body.
    put_at : float
        When it was put, in seconds since 1970.
    attempts : int
        How often it was given out to be sent.
    """

    message_id: str
    receiver: str
    origin: str
    size: int
    put_at: float
    attempts: int


class Outbox:
    """A file of messages, of one process and any of its threads.

    Parameters
    ----------
    path : Path
        The file; made where there is none.
    most_bytes : int
        Of all bodies together.
    expires_s : float
        How long a message is kept, in seconds.
    most_bytes_each : int or None
        Of all bodies for one receiver; a single one may have more. None: of one as of all.
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
        most_bytes: int,
        expires_s: float,
        most_bytes_each: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = MessageFile(path, _TABLES)
        self._most_bytes, self._expires_s, self._clock = most_bytes, expires_s, clock
        self._most_bytes_each = most_bytes_each

    def put(
        self,
        message_id: str,
        receiver: str,
        body: bytes,
        *,
        origin: str = "",
        life_s: float | None = None,
    ) -> None:
        """Keep a message; it is on disk when this returns. One that is here already stays as it is.

        Parameters
        ----------
        message_id, receiver : str
            Its name, and whom it is for.
        body : bytes
            What to send.
        origin : str
            From whom it came.
        life_s : float or None
            How long it is kept, in seconds, where that is less than other messages are.

        Raises
        ------
        OutboxFullError
            There is no room.
        """
        with self._file.transaction() as database:
            known = "SELECT 1 FROM messages WHERE message_id = ?"
            if database.execute(known, (message_id,)).fetchone():
                return
            held = _bytes_of(database)
            if held + len(body) > self._most_bytes:
                raise OutboxFullError(
                    f"outbox {self._file.path.name}: found no room for a message of {len(body)} "
                    f"bytes to {receiver!r} beside {held} that wait; wanted at most "
                    f"{self._most_bytes} in all: wait until receivers have acknowledged some"
                )
            self._check_share(database, receiver, len(body))
            database.execute(
                "INSERT INTO messages "
                "(message_id, receiver, origin, size, put_at, attempts, body) "
                "VALUES (?, ?, ?, ?, ?, 0, ?)",
                (message_id, receiver, origin, len(body), self._clock(), body),
            )
            if life_s is not None:
                database.execute(
                    "INSERT OR REPLACE INTO short_lived VALUES (?, ?)",
                    (message_id, self._clock() + life_s),
                )

    def _check_share(self, database: sqlite3.Connection, receiver: str, size: int) -> None:
        """Refuse what one receiver, who is away say, leaves no room for; not its only message."""
        held = 0 if self._most_bytes_each is None else _bytes_of(database, receiver=receiver)
        if self._most_bytes_each is not None and held and held + size > self._most_bytes_each:
            raise OutboxFullError(
                f"outbox {self._file.path.name}: found {held} bytes that wait for {receiver!r}, no "
                f"room for {size} more; wanted at most {self._most_bytes_each} for one: wait until "
                "it has acknowledged some"
            )

    def due(
        self, receiver: str | None = None, *, retry_s: float = 0.0, limit: int = 100
    ) -> list[OutboxMessage]:
        """Give messages to send, the oldest first, and note that they were.

        Parameters
        ----------
        receiver : str or None
            Of this one only.
        retry_s : float
            None that was given out less than this many seconds ago.
        limit : int
            How many at most.
        """
        now = self._clock()
        with self._file.transaction() as database:
            # A clock that was set back mustn't hold messages for as long.
            rows = database.execute(
                "SELECT message_id FROM messages WHERE (? IS NULL OR receiver = ?) "
                "AND (tried_at IS NULL OR tried_at <= ? OR tried_at > ?) ORDER BY place LIMIT ?",
                (receiver, receiver, now - retry_s, now, limit),
            ).fetchall()
            found = [_given_out(database, message_id, now) for (message_id,) in rows]
        return [message for message in found if message is not None]

    def give(self, message_id: str) -> OutboxMessage | None:
        """Give one message to send, and note that it was; None where there is no such."""
        with self._file.transaction() as database:
            return _given_out(database, message_id, self._clock())

    def receivers(self) -> list[str]:
        """Name those for whom something waits."""
        with self._file.transaction() as database:
            rows = database.execute("SELECT DISTINCT receiver FROM messages ORDER BY receiver")
            return [receiver for (receiver,) in rows]

    def counts(self) -> dict[str, int]:
        """Count what waits, by receiver."""
        with self._file.transaction() as database:
            rows = database.execute(
                "SELECT receiver, COUNT(*) FROM messages GROUP BY receiver ORDER BY receiver"
            )
            return dict(rows.fetchall())

    def waiting(self, receiver: str | None = None, *, limit: int = 1000) -> list[WaitingMessage]:
        """List what waits, or waits for one, the oldest first, without noting anything."""
        with self._file.transaction() as database:
            rows = database.execute(
                "SELECT message_id, receiver, origin, size, put_at, attempts FROM messages "
                "WHERE (? IS NULL OR receiver = ?) ORDER BY place LIMIT ?",
                (receiver, receiver, limit),
            ).fetchall()
        return [WaitingMessage(*row) for row in rows]

    def origin_of(self, message_id: str) -> str | None:
        """From whom a message came; None where there is no such."""
        with self._file.transaction() as database:
            known = "SELECT origin FROM messages WHERE message_id = ?"
            row = database.execute(known, (message_id,)).fetchone()
        return None if row is None else str(row[0])

    def held_bytes(self, *, origin: str | None = None, receiver: str | None = None) -> int:
        """Bytes of all bodies, or of those that came from one, or are for one."""
        with self._file.transaction() as database:
            return _bytes_of(database, origin, receiver)

    def acknowledge(self, message_id: str) -> bool:
        """Remove a message that its receiver has; whether it was here."""
        with self._file.transaction() as database:
            done = database.execute("DELETE FROM messages WHERE message_id = ?", (message_id,))
            return done.rowcount > 0

    def expire(self) -> list[OutboxMessage]:
        """Remove what has waited too long, and give it, to be named as dead letters."""
        now = self._clock()
        with self._file.transaction() as database:
            rows = database.execute(
                "DELETE FROM messages WHERE put_at <= ? "
                "OR message_id IN (SELECT message_id FROM short_lived WHERE until <= ?) "
                "RETURNING message_id, receiver, body, put_at, attempts, place",
                (now - self._expires_s, now),
            ).fetchall()
            database.execute("DELETE FROM short_lived WHERE until <= ?", (now,))
        return [OutboxMessage(*row[:-1]) for row in sorted(rows, key=lambda row: row[-1])]

    def close(self) -> None:
        """Let go of the file; what waits stays in it."""
        self._file.close()


def _bytes_of(
    database: sqlite3.Connection, origin: str | None = None, receiver: str | None = None
) -> int:
    wanted = {"origin": origin, "receiver": receiver}
    given = {name: value for name, value in wanted.items() if value is not None}
    where = " AND ".join(f"{name} = :{name}" for name in given) or "TRUE"
    sizes = f"SELECT COALESCE(SUM(size), 0) FROM messages WHERE {where}"  # noqa: S608 # nosec B608
    return int(database.execute(sizes, given).fetchone()[0])


def _given_out(database: sqlite3.Connection, message_id: str, now: float) -> OutboxMessage | None:
    row = database.execute(
        "UPDATE messages SET attempts = attempts + 1, tried_at = ? WHERE message_id = ? "
        "RETURNING message_id, receiver, body, put_at, attempts",
        (now, message_id),
    ).fetchone()
    return None if row is None else OutboxMessage(*row)
