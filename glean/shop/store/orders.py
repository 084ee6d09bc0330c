"""Pre-orders, for a day, and standing orders, for weekdays."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from glean.sales.firm_orders import FirmOrder
from glean.shop.store.database import ShopDatabase, Table

ORDERS = Table(
    "orders",
    (
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, product TEXT NOT NULL, units REAL NOT NULL, "
        "first TEXT NOT NULL, last TEXT, weekdays TEXT NOT NULL, rung_up INTEGER NOT NULL, "
        "note TEXT NOT NULL)",
    ),
)


@dataclass(frozen=True)
class KeptOrder:
    """An order as it was entered.

    Parameters
    ----------
    id : int
        Its number.
    order : FirmOrder
        What it is.
    note : str
        Who ordered, or whatever else.
    """

    id: int
    order: FirmOrder
    note: str

    @property
    def stands(self) -> bool:
        """Whether it is for more than one day."""
        return self.order.first != self.order.last


class Orders:
    """All orders.

    Parameters
    ----------
    database : ShopDatabase
        Where they are kept.
    """

    def __init__(self, database: ShopDatabase) -> None:
        self._database = database

    def all(self) -> list[KeptOrder]:
        """Give them in the order of their first days."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT * FROM orders ORDER BY first, id").fetchall()
        return [
            KeptOrder(
                row["id"],
                FirmOrder(
                    row["product"],
                    row["units"],
                    dt.date.fromisoformat(row["first"]),
                    dt.date.fromisoformat(row["last"]) if row["last"] else None,
                    frozenset(int(weekday) for weekday in row["weekdays"]),
                    bool(row["rung_up"]),
                ),
                row["note"],
            )
            for row in rows
        ]

    def firm(self) -> tuple[FirmOrder, ...]:
        """Give what is ordered, without who ordered it."""
        return tuple(kept.order for kept in self.all())

    def add(self, order: FirmOrder, note: str = "") -> None:
        """Keep an order."""
        with self._database.begin() as connection:
            connection.execute(
                "INSERT INTO orders (product, units, first, last, weekdays, rung_up, note) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    order.product,
                    order.units,
                    f"{order.first}",
                    f"{order.last}" if order.last else None,
                    "".join(str(weekday) for weekday in sorted(order.weekdays)),
                    int(order.rung_up),
                    note,
                ),
            )

    def remove(self, number: int, today: dt.date) -> None:
        """Forget an order; one that has begun ends yesterday, as the past knew it."""
        yesterday = today - dt.timedelta(days=1)
        with self._database.begin() as connection:
            connection.execute(
                "DELETE FROM orders WHERE id = ? AND first >= ?", (number, f"{today}")
            )
            connection.execute(
                "UPDATE orders SET last = ? WHERE id = ? AND (last IS NULL OR last > ?)",
                (f"{yesterday}", number, f"{yesterday}"),
            )
