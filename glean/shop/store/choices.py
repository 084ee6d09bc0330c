"""Choices that stay until they are changed: a name and a value each."""

from __future__ import annotations

import json
from typing import Any

from glean.shop.store.database import ShopDatabase, Table

TABLE = Table("choices", ("CREATE TABLE choices (name TEXT PRIMARY KEY, value TEXT NOT NULL)",))


class Choices:
    """The choices of a shop, like the region of its holidays.

    Parameters
    ----------
    database : ShopDatabase
        Where they are kept.
    """

    def __init__(self, database: ShopDatabase) -> None:
        self._database = database

    def get(self, name: str, default: Any = None) -> Any:
        """Read one; a JSON value."""
        with self._database.read() as connection:
            row = connection.execute("SELECT value FROM choices WHERE name = ?", (name,)).fetchone()
        return default if row is None else json.loads(row["value"])

    def put(self, **values: Any) -> None:
        """Keep some; None forgets one."""
        with self._database.begin() as connection:
            for name, value in values.items():
                if value is None:
                    connection.execute("DELETE FROM choices WHERE name = ?", (name,))
                else:
                    connection.execute(
                        "INSERT OR REPLACE INTO choices VALUES (?, ?)", (name, json.dumps(value))
                    )
