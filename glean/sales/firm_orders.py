"""Orders that are firm: so many units of a product on a day, or on some weekdays of every week.

They come on top of whoever walks in. Where an order is rung up at the till like any sale, the sales
of its day hold it: it is taken off them, so that the forecast is of those who walk in.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glean.sales.table import SalesTable

EVERY_WEEKDAY = frozenset(range(7))


@dataclass(frozen=True)
class FirmOrder:
    """An order.

    Parameters
    ----------
    product : str
        What is ordered.
    units : float
        So many on each of its days.
    first : date
        Its first day.
    last : date or None
        Its last day; None where it goes on.
    weekdays : frozenset of int
        On which weekdays between them, 0 is Monday.
    rung_up : bool
        Whether the till counts it among the sales.

    Examples
    --------
    >>> hotel = FirmOrder("roll", 60.0, dt.date(2026, 11, 30), None, frozenset({0, 2}))
    >>> [hotel.is_on(dt.date(2026, 12, day)) for day in (1, 2)], hotel.is_on(dt.date(2026, 11, 23))
    ([False, True], False)
    """

    product: str
    units: float
    first: dt.date
    last: dt.date | None = None
    weekdays: frozenset[int] = EVERY_WEEKDAY
    rung_up: bool = False

    def is_on(self, day: dt.date) -> bool:
        """Whether it is for a day."""
        ends = self.last is not None and day > self.last
        return day >= self.first and not ends and day.weekday() in self.weekdays


def ordered_on(orders: Iterable[FirmOrder], day: dt.date) -> dict[str, float]:
    """Add up what is ordered for a day, by product."""
    found: dict[str, float] = {}
    for order in orders:
        if order.is_on(day):
            found[order.product] = found.get(order.product, 0.0) + order.units
    return found


def walk_in_sales(table: SalesTable, orders: Iterable[FirmOrder]) -> SalesTable:
    """Take orders that were rung up off the sales of their days.

    Parameters
    ----------
    table : SalesTable
        One bakery's sales.
    orders : iterable of FirmOrder
        All of them; those that the till doesn't count are left alone.

    Returns
    -------
    SalesTable
        The same rows; units never below zero, as an order may not have been fetched.
    """
    from glean.sales.table import SalesTable

    counted = [order for order in orders if order.rung_up]
    if not counted:
        return table
    rows = table.rows
    ordered = {day: ordered_on(counted, day.date()) for day in set(rows["date"])}
    taken = [
        ordered[day].get(product, 0.0)
        for day, product in zip(rows["date"], rows["product"], strict=True)
    ]
    return SalesTable(rows.assign(units=(rows["units"] - taken).clip(lower=0.0)))
