"""What the owner knows of days to come: closed or open, promotions, events, school holidays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from glean.shop.store.database import ShopDatabase, Table

Kind = Literal["closed", "open", "promotion", "event", "school"]

KINDS: tuple[Kind, ...] = get_args(Kind)

COMING = Table(
    "coming",
    (
        "CREATE TABLE coming (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, first TEXT NOT NULL, "
        "last TEXT NOT NULL, product TEXT NOT NULL, percent REAL NOT NULL, note TEXT NOT NULL)",
    ),
)


@dataclass(frozen=True)
class ComingDays:
    """Some days and what is known of them.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    first, last : date
        From when to when.
    product : str
        The product that it is about, "" for all.
    percent : float
        Of an event: how much more is asked for than the plan expects, below zero less.
    note : str
        What it is.
    id : int
        Its number, 0 before it is kept.
    """

    kind: Kind
    first: dt.date
    last: dt.date
    product: str = ""
    percent: float = 0.0
    note: str = ""
    id: int = 0

    def is_on(self, day: dt.date) -> bool:
        """Whether it is about a day."""
        return self.first <= day <= self.last

    def days(self) -> Iterator[dt.date]:
        """Go through its days."""
        for k in range((self.last - self.first).days + 1):
            yield self.first + dt.timedelta(days=k)


class Coming:
    """All that is known.

    Parameters
    ----------
    database : ShopDatabase
        Where it is kept.
    """

    def __init__(self, database: ShopDatabase) -> None:
        self._database = database

    def since(self, day: dt.date) -> list[ComingDays]:
        """Give what isn't over before a day, by first days."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT * FROM coming WHERE last >= ? ORDER BY first, id", (f"{day}",)
            ).fetchall()
        return [
            ComingDays(
                row["kind"],
                dt.date.fromisoformat(row["first"]),
                dt.date.fromisoformat(row["last"]),
                row["product"],
                row["percent"],
                row["note"],
                row["id"],
            )
            for row in rows
        ]

    def on(self, day: dt.date) -> list[ComingDays]:
        """Give what is about a day."""
        return [one for one in self.since(day) if one.is_on(day)]

    def add(self, days: ComingDays) -> None:
        """Keep something."""
        with self._database.begin() as connection:
            connection.execute(
                "INSERT INTO coming (kind, first, last, product, percent, note) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (days.kind, f"{days.first}", f"{days.last}", days.product, days.percent, days.note),
            )

    def remove(self, number: int) -> None:
        """Forget something."""
        with self._database.begin() as connection:
            connection.execute("DELETE FROM coming WHERE id = ?", (number,))
