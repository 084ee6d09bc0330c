"""Exports that were read, or couldn't be."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from glean.shop.store.database import ShopDatabase, Table

TABLE = Table(
    "exports",
    (
        "CREATE TABLE exports (number INTEGER PRIMARY KEY, name TEXT NOT NULL, "
        "sha256 TEXT NOT NULL, at TEXT NOT NULL, ok INTEGER NOT NULL, told TEXT NOT NULL)",
        "CREATE INDEX exports_by_content ON exports (sha256)",
    ),
)


@dataclass(frozen=True)
class ReadExport:
    """One export.

    Parameters
    ----------
    name : str
        Its file's name.
    at : datetime
        When it was read.
    ok : bool
        Whether it went into the table.
    told : dict
        `added`, `changed`, `first_day`, `last_day`, `new_products` where it did; `lines` of what is
        wrong where it didn't, each by the code of its language.
    """

    name: str
    at: dt.datetime
    ok: bool
    told: dict[str, Any]


class Exports:
    """Exports by the content of their file: one that was read isn't read again.

    Parameters
    ----------
    database : ShopDatabase
        Where it is kept.
    """

    def __init__(self, database: ShopDatabase) -> None:
        self._database = database

    def last(self, count: int = 5) -> list[ReadExport]:
        """Give the last ones, the newest first."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT * FROM exports ORDER BY number DESC LIMIT ?", (count,)
            ).fetchall()
        return [
            ReadExport(
                row["name"],
                dt.datetime.fromisoformat(row["at"]),
                bool(row["ok"]),
                json.loads(row["told"]),
            )
            for row in rows
        ]

    def knows(self, sha256: str) -> bool:
        """Whether a file of this content was tried."""
        with self._database.read() as connection:
            found = connection.execute(
                "SELECT 1 FROM exports WHERE sha256 = ?", (sha256,)
            ).fetchone()
        return found is not None

    def note(
        self, name: str, sha256: str, *, at: dt.datetime, ok: bool, told: dict[str, Any]
    ) -> None:
        """Keep what became of one."""
        with self._database.begin() as connection:
            connection.execute(
                "INSERT INTO exports (name, sha256, at, ok, told) VALUES (?, ?, ?, ?, ?)",
                (name, sha256, at.isoformat(timespec="seconds"), int(ok), json.dumps(told)),
            )
