"""What a hosted client keeps on disk: a kill at any moment loses nothing and repeats nothing.

One SQLite file. The reply to a message, the client's state after it, and that the message is done
with come into it by one transaction, before the reply is given out. What is in hand when a process
is killed stands there too, with what has to be put back.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from glean.errors import FederationError

FILE = "carried-client.sqlite"

MOST_REPLY_BYTES = 64 * 2**20
"""Replies that are kept to be given again; of older ones only that they were given."""

MOST_RUNS = 4
"""Runs whose states and replies are kept; a client is in one, or in two while one follows."""

GIVEN = b""
"""In place of a reply that is kept no longer."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS state (
    run INTEGER, name TEXT, body BLOB NOT NULL, PRIMARY KEY (run, name)
);
CREATE TABLE IF NOT EXISTS reply (
    place INTEGER PRIMARY KEY, run INTEGER, message TEXT, body BLOB NOT NULL, UNIQUE (run, message)
);
CREATE TABLE IF NOT EXISTS in_hand (run INTEGER, message TEXT, undo BLOB);
"""


@dataclass(frozen=True)
class Interrupted:
    """A message that was in hand when a process ended.

    Parameters
    ----------
    run_id : int
        Its run.
    message_id : str
        Its id.
    undo : bytes or None
        What was noted of the client's home before it was answered.
    """

    run_id: int
    message_id: str
    undo: bytes | None


class ClientStore:
    """One client's states and replies; for one process and one of its threads at a time.

    Parameters
    ----------
    path : Path
        The file, which is made where there is none, for its user's eyes only. It holds the keys by
        which the client masks its sums.
    most_reply_bytes : int
        So much is kept of replies.

    Raises
    ------
    FederationError
        It can't be used.
    """

    def __init__(self, path: Path, *, most_reply_bytes: int = MOST_REPLY_BYTES) -> None:
        self._path = path
        self._most = most_reply_bytes
        self._digests: dict[tuple[int, str], bytes] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")  # a power cut loses no reply either
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            self._db.close()
            raise self._unusable(error) from error

    def state(self, run_id: int) -> list[bytes]:
        """Give the records of a client's state in a run; none before its first reply."""
        with self._checked():
            rows = self._db.execute("SELECT name, body FROM state WHERE run = ?", (run_id,))
            found = {str(name): bytes(body) for name, body in rows}
        self._digests |= {(run_id, name): _digest(body) for name, body in found.items()}
        return list(found.values())

    def reply(self, run_id: int, message_id: str) -> bytes | None:
        """Give the reply to a message; `GIVEN` where it isn't kept, None where there was none."""
        with self._checked():
            row = self._db.execute(
                "SELECT body FROM reply WHERE run = ? AND message = ?", (run_id, message_id)
            ).fetchone()
        return None if row is None else bytes(row[0])

    def replies(self, run_id: int) -> Iterator[bytes]:
        """Give the replies of a run that are kept, the newest first."""
        with self._checked():
            rows = self._db.execute(
                "SELECT body FROM reply WHERE run = ? AND length(body) > 0 ORDER BY place DESC",
                (run_id,),
            ).fetchall()
        return (bytes(row[0]) for row in rows)

    def forget(self, run_id: int, message_id: str) -> None:
        """Forget a reply that was never given out: its message may be answered anew."""
        with self._transaction():
            self._db.execute(
                "DELETE FROM reply WHERE run = ? AND message = ?", (run_id, message_id)
            )

    def begin(self, run_id: int, message_id: str, undo: bytes | None) -> None:
        """Note, on disk, that a message is in hand, and what to put back if it stays unanswered."""
        with self._transaction():
            self._db.execute("DELETE FROM in_hand")
            self._db.execute("INSERT INTO in_hand VALUES (?, ?, ?)", (run_id, message_id, undo))

    def interrupted(self) -> Interrupted | None:
        """Give the message that was in hand and wasn't answered; None where there is none."""
        with self._checked():
            row = self._db.execute("SELECT run, message, undo FROM in_hand").fetchone()
        return None if row is None else Interrupted(*row)

    def settle(self) -> None:
        """Note that what was left in hand was put back."""
        with self._transaction():
            self._db.execute("DELETE FROM in_hand")

    def commit(
        self, run_id: int, message_id: str, reply: bytes, state: Mapping[str, bytes]
    ) -> None:
        """Keep a reply and the client's state after it, as a whole; on disk when this returns.

        Parameters
        ----------
        run_id : int
            The run.
        message_id : str
            The message that is answered.
        reply : bytes
            Its reply.
        state : mapping of str to bytes
            Every record of the state.
        """
        known = {name for run, name in self._digests if run == run_id}
        digests = {(run_id, name): _digest(body) for name, body in state.items()}
        changed = [n for n in state if self._digests.get((run_id, n)) != digests[run_id, n]]
        with self._transaction():
            rows = [(run_id, name, state[name]) for name in changed]
            self._db.executemany("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", rows)
            gone = [(run_id, name) for name in known - state.keys()]
            self._db.executemany("DELETE FROM state WHERE run = ? AND name = ?", gone)
            self._db.execute(
                "INSERT INTO reply (run, message, body) VALUES (?, ?, ?)",
                (run_id, message_id, reply),
            )
            self._db.execute("DELETE FROM in_hand")
            self._forget_old()
        for key in gone:
            del self._digests[key]
        self._digests |= digests

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _forget_old(self) -> None:
        """Drop the bodies of the oldest replies, and all of runs that are long over."""
        (held,) = self._db.execute("SELECT total(length(body)) FROM reply").fetchone()
        over = held - self._most
        if over > 0:
            rows = self._db.execute(
                "SELECT place, length(body) FROM reply WHERE length(body) > 0 ORDER BY place"
            ).fetchall()
            for place, size in rows[:-1]:  # the newest may be asked for again
                if over <= 0:
                    break
                self._db.execute("UPDATE reply SET body = ? WHERE place = ?", (GIVEN, place))
                over -= size
        newest = self._db.execute(
            "SELECT run FROM reply GROUP BY run ORDER BY max(place) DESC LIMIT -1 OFFSET ?",
            (MOST_RUNS,),
        ).fetchall()
        for (run_id,) in newest:
            self._db.execute("DELETE FROM reply WHERE run = ?", (run_id,))
            self._db.execute("DELETE FROM state WHERE run = ?", (run_id,))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._checked():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def _checked(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> FederationError:
        return FederationError(
            f"{self._path} can't be used for what this client has answered: {error}. Let its user "
            "write there, and see that its disk isn't full"
        )


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()
