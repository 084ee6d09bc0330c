"""What was done with a day's list: products ticked off, and numbers that the baker corrected."""

from __future__ import annotations

import datetime as dt

from glean.shop.store.database import ShopDatabase, Table

TICKS = Table(
    "ticks",
    ("CREATE TABLE ticks (day TEXT, product TEXT, at TEXT NOT NULL, PRIMARY KEY (day, product))",),
)
CORRECTIONS = Table(
    "corrections",
    (
        "CREATE TABLE corrections (day TEXT, product TEXT, planned REAL NOT NULL, "
        "units REAL NOT NULL, at TEXT NOT NULL, PRIMARY KEY (day, product))",
    ),
)


class Baking:
    """Ticks and corrections, by day and product.

    Parameters
    ----------
    database : ShopDatabase
        Where they are kept.
    """

    def __init__(self, database: ShopDatabase) -> None:
        self._database = database

    def ticked(self, day: dt.date) -> frozenset[str]:
        """Products that are done."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT product FROM ticks WHERE day = ?", (f"{day}",))
            return frozenset(row["product"] for row in rows)

    def tick(self, day: dt.date, product: str, *, done: bool, at: dt.datetime) -> None:
        """Tick a product off, or take that back."""
        with self._database.begin() as connection:
            if done:
                connection.execute(
                    "INSERT OR REPLACE INTO ticks VALUES (?, ?, ?)",
                    (f"{day}", product, at.isoformat(timespec="seconds")),
                )
            else:
                connection.execute(
                    "DELETE FROM ticks WHERE day = ? AND product = ?", (f"{day}", product)
                )

    def corrections(self, day: dt.date) -> dict[str, float]:
        """Units by product, where the baker said another number than the plan."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT product, units FROM corrections WHERE day = ?", (f"{day}",)
            )
            return {row["product"]: row["units"] for row in rows}

    def correct(
        self, day: dt.date, product: str, *, planned: float, units: float, at: dt.datetime
    ) -> None:
        """Keep a corrected number, and which one it takes the place of; the same one is none."""
        with self._database.begin() as connection:
            if units == planned:
                connection.execute(
                    "DELETE FROM corrections WHERE day = ? AND product = ?", (f"{day}", product)
                )
            else:
                connection.execute(
                    "INSERT OR REPLACE INTO corrections VALUES (?, ?, ?, ?, ?)",
                    (f"{day}", product, planned, units, at.isoformat(timespec="seconds")),
                )
