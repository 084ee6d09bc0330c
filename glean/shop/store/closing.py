"""What was entered after closing: units left over, and when a product sold out."""

from __future__ import annotations

import datetime as dt

from glean.shop.store.database import ShopDatabase, Table

LEFT_OVERS = Table(
    "left_overs",
    (
        "CREATE TABLE left_overs (day TEXT, product TEXT, units REAL NOT NULL, at TEXT NOT NULL, "
        "PRIMARY KEY (day, product))",
    ),
)
SOLD_OUT = Table(
    "sold_out",
    (
        "CREATE TABLE sold_out (day TEXT, product TEXT, time TEXT NOT NULL, at TEXT NOT NULL, "
        "in_table INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (day, product))",
    ),
)


class Closing:
    """Left-overs and sold-out times, by day and product.

    Parameters
    ----------
    database : ShopDatabase
        Where they are kept.
    """

    def __init__(self, database: ShopDatabase) -> None:
        self._database = database

    def left_over(self, day: dt.date) -> dict[str, float]:
        """Give units by product that were left over; one that sold out has none."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT product, units FROM left_overs WHERE day = ?", (f"{day}",)
            )
            return {row["product"]: row["units"] for row in rows}

    def sold_out(self, day: dt.date) -> dict[str, str]:
        """Give times by product, like "15:30"."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT product, time FROM sold_out WHERE day = ?", (f"{day}",)
            )
            return {row["product"]: row["time"] for row in rows}

    def enter(
        self, day: dt.date, product: str, *, left: float | None, time: str, at: dt.datetime
    ) -> None:
        """Keep what became of a product, in the place of what was entered before.

        Parameters
        ----------
        day, product
            Which one.
        left : float or None
            Units left over; None forgets them.
        time : str
            When it sold out, like "15:30"; "" where it didn't.
        at : datetime
            Now.
        """
        stamp = at.isoformat(timespec="seconds")
        with self._database.begin() as connection:
            for table in ("left_overs", "sold_out"):
                connection.execute(
                    f"DELETE FROM {table} WHERE day = ? AND product = ?",  # noqa: S608 # nosec B608
                    (f"{day}", product),
                )
            if left is not None:
                connection.execute(
                    "INSERT INTO left_overs VALUES (?, ?, ?, ?)", (f"{day}", product, left, stamp)
                )
            if time:
                connection.execute(
                    "INSERT INTO sold_out (day, product, time, at) VALUES (?, ?, ?, ?)",
                    (f"{day}", product, time, stamp),
                )

    def waiting(self) -> dict[dt.date, dict[str, str]]:
        """Sold-out times that the table doesn't have yet, by day and product."""
        found: dict[dt.date, dict[str, str]] = {}
        with self._database.read() as connection:
            for row in connection.execute(
                "SELECT day, product, time FROM sold_out WHERE in_table = 0"
            ):
                day = dt.date.fromisoformat(row["day"])
                found.setdefault(day, {})[row["product"]] = row["time"]
        return found

    def note_in_table(self, day: dt.date, times: dict[str, str]) -> None:
        """Keep that the table has these; one that was changed meanwhile still waits."""
        with self._database.begin() as connection:
            connection.executemany(
                "UPDATE sold_out SET in_table = 1 WHERE day = ? AND product = ? AND time = ?",
                [(f"{day}", product, time) for product, time in times.items()],
            )
