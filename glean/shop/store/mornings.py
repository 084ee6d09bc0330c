"""Mornings: when one went through, and what went wrong."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass

from glean.shop.store.database import ShopDatabase, Table

TABLE = Table(
    "mornings",
    ("CREATE TABLE mornings (day TEXT PRIMARY KEY, at TEXT NOT NULL, failed TEXT NOT NULL)",),
)


BEGUN = (("begun", ()),)
LONGEST = dt.timedelta(minutes=15)
"""After which a morning that began and didn't end counts as cut off."""


@dataclass(frozen=True)
class Morning:
    """One that went through.

    Parameters
    ----------
    day : date
        Its day.
    at : datetime
        When it ended.
    failed : tuple of (str, tuple of str)
        What went wrong: the name of a step, and lines on it; empty where nothing did. `BEGUN` alone
        while it goes on, or where it was cut off.
    """

    day: dt.date
    at: dt.datetime
    failed: tuple[tuple[str, tuple[str, ...]], ...]


class Mornings:
    """What became of each.

    Parameters
    ----------
    database : ShopDatabase
        Where it is kept.
    """

    def __init__(self, database: ShopDatabase) -> None:
        self._database = database

    def last(self) -> Morning | None:
        """Give the last one; None before the first."""
        with self._database.read() as connection:
            row = connection.execute("SELECT * FROM mornings ORDER BY day DESC LIMIT 1").fetchone()
        if row is None:
            return None
        failed = tuple((step, tuple(lines)) for step, lines in json.loads(row["failed"]))
        day = dt.date.fromisoformat(row["day"])
        return Morning(day, dt.datetime.fromisoformat(row["at"]), failed)

    def claim(self, now: dt.datetime) -> bool:
        """Begin today's, unless it was begun or done by another page over the same home."""
        with self._database.begin() as connection:
            row = connection.execute(
                "SELECT * FROM mornings WHERE day = ?", (f"{now.date()}",)
            ).fetchone()
            if row is not None:
                cut_off = row["failed"] == json.dumps(BEGUN)
                if not cut_off or now - dt.datetime.fromisoformat(row["at"]) < LONGEST:
                    return False
            connection.execute(
                "INSERT OR REPLACE INTO mornings VALUES (?, ?, ?)",
                (f"{now.date()}", now.isoformat(timespec="seconds"), json.dumps(BEGUN)),
            )
        return True

    def note(self, morning: Morning) -> None:
        """Keep one, in the place of an earlier try of that day."""
        with self._database.begin() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO mornings VALUES (?, ?, ?)",
                (
                    f"{morning.day}",
                    morning.at.isoformat(timespec="seconds"),
                    json.dumps(morning.failed),
                ),
            )
