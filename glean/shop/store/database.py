"""The database of what people enter: a SQLite file in the home, brought up to date when opened.

Each noun has a module with its table's steps: SQL that leads from each version of it to the next.
So two nouns never wait for one another's number.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from glean.errors import GleanError

_WAIT_S = 10.0
"""For another process that writes, like a second page over the same home."""


@dataclass(frozen=True)
class Table:
    """A noun's table.

    Parameters
    ----------
    name : str
        The noun.
    steps : tuple of str
        SQL statements; step n leads from version n to version n + 1. One that was released stays.
    """

    name: str
    steps: tuple[str, ...]


class ShopDatabase:
    """The file, opened for each use: SQLite does that in a thousandth of a second.

    Parameters
    ----------
    path : Path
        The file; made where there is none.
    tables : sequence of Table
        What it has.

    Raises
    ------
    GleanError
        It can't be used, or a newer Glean wrote it.
    """

    def __init__(self, path: Path, tables: Sequence[Table]) -> None:
        self._path = path
        try:
            self._upgrade(tables)
        except sqlite3.Error as error:
            raise GleanError(
                f"{path} can't be used: {error}; put it back from a copy, or move it away to begin "
                "anew"
            ) from None

    @contextmanager
    def begin(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction; it is kept unless the body raises."""
        connection = sqlite3.connect(self._path, timeout=_WAIT_S, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
        finally:
            connection.close()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Open it to read, which waits for nobody."""
        connection = sqlite3.connect(self._path, timeout=_WAIT_S)
        try:
            connection.row_factory = sqlite3.Row
            yield connection
        finally:
            connection.close()

    def _upgrade(self, tables: Sequence[Table]) -> None:
        with self.read() as connection:
            # Readers and one writer don't wait for each other; kept in the file.
            connection.execute("PRAGMA journal_mode = WAL")
        with self.begin() as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS versions (name TEXT PRIMARY KEY, version INTEGER)"
            )
            known = {
                row["name"]: row["version"] for row in connection.execute("SELECT * FROM versions")
            }
            for table in tables:
                self._upgrade_table(connection, table, known.get(table.name, 0))

    def _upgrade_table(self, connection: sqlite3.Connection, table: Table, version: int) -> None:
        if version > len(table.steps):
            raise GleanError(
                f"{self._path} was written by a newer Glean ({table.name}, version {version}); "
                "wanted that one"
            )
        for step in table.steps[version:]:
            connection.execute(step)
        connection.execute(
            "INSERT OR REPLACE INTO versions VALUES (?, ?)",
            (table.name, len(table.steps)),
        )
