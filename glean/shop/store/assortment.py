"""What is baked at all, and what the owner says of a product: prices, trays, how long it keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from glean.shop.store.database import ShopDatabase, Table

BAKED = Table("baked", ("CREATE TABLE baked (product TEXT PRIMARY KEY, baked INTEGER NOT NULL)",))
PRODUCTS = Table(
    "products",
    (
        "CREATE TABLE products (product TEXT PRIMARY KEY, category TEXT, price REAL, cost REAL, "
        "shelf_life_days REAL, service_level REAL)",
    ),
)
TRAYS = Table(
    "trays",
    (
        "CREATE TABLE trays (product TEXT, weekday INTEGER, batch_size REAL, minimum REAL, "
        "PRIMARY KEY (product, weekday))",
    ),
)

SAID = ("category", "price", "cost", "shelf_life_days", "service_level")
"""What is said of a product, as columns of a product list."""

EVERY_DAY = -1
"""Stands for all weekdays that aren't named."""


class Assortment:
    """What the owner chose and said, by product.

    Parameters
    ----------
    database : ShopDatabase
        Where it is kept.
    """

    def __init__(self, database: ShopDatabase) -> None:
        self._database = database

    def baked(self) -> dict[str, bool]:
        """Whether a product is baked; one that nobody was asked about isn't there."""
        with self._database.read() as connection:
            return {
                row["product"]: bool(row["baked"])
                for row in connection.execute("SELECT product, baked FROM baked")
            }

    def choose(self, baked: Mapping[str, bool]) -> None:
        """Say of some products whether they are baked."""
        with self._database.begin() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO baked VALUES (?, ?)",
                [(product, int(yes)) for product, yes in baked.items()],
            )

    def said(self) -> dict[str, dict[str, Any]]:
        """Give what is said of products, without what isn't."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT * FROM products").fetchall()
        return {
            row["product"]: {name: row[name] for name in SAID if row[name] not in (None, "")}
            for row in rows
        }

    def trays(self) -> dict[str, dict[int, dict[str, float]]]:
        """Trays and least numbers by product and weekday, `EVERY_DAY` among them."""
        found: dict[str, dict[int, dict[str, float]]] = {}
        with self._database.read() as connection:
            for row in connection.execute("SELECT * FROM trays"):
                said = {name: row[name] for name in ("batch_size", "minimum") if row[name]}
                found.setdefault(row["product"], {})[row["weekday"]] = said
        return found

    def describe(
        self,
        product: str,
        said: Mapping[str, Any],
        trays: Mapping[int, tuple[float | None, float | None]],
    ) -> None:
        """Keep what is said of a product, in the place of what was.

        Parameters
        ----------
        product : str
            Which one.
        said : mapping
            Any of `SAID`.
        trays : mapping of int to (float or None, float or None)
            Units on a tray and the fewest worth baking, by weekday.
        """
        with self._database.begin() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO products VALUES (?, ?, ?, ?, ?, ?)",
                (product, *(said.get(name) for name in SAID)),
            )
            connection.execute("DELETE FROM trays WHERE product = ?", (product,))
            connection.executemany(
                "INSERT INTO trays VALUES (?, ?, ?, ?)",
                [
                    (product, weekday, batch, minimum)
                    for weekday, (batch, minimum) in trays.items()
                    if batch or minimum
                ],
            )


def trays_by_weekday(
    trays: Mapping[str, Mapping[int, Mapping[str, float]]],
) -> dict[str, dict[int, dict[str, float]]]:
    """Fill weekdays in from `EVERY_DAY`, for a plan.

    Examples
    --------
    >>> trays = {"roll": {EVERY_DAY: {"batch_size": 12.0}, 5: {"batch_size": 24.0}}}
    >>> found = trays_by_weekday(trays)
    >>> found["roll"][0], found["roll"][5]
    ({'batch_size': 12.0}, {'batch_size': 24.0})
    """
    return {
        product: {
            weekday: {**by_weekday.get(EVERY_DAY, {}), **by_weekday.get(weekday, {})}
            for weekday in range(7)
        }
        for product, by_weekday in trays.items()
    }
