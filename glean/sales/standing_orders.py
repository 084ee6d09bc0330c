"""Standing orders: products that sell exactly the same every week, and need no forecast."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from glean.sales.table import SalesTable

WEEKS = 8
FEWEST_DAYS = 28
"""Days with a sale in the last `WEEKS` weeks, all as on every same weekday, that make an order."""


def standing_orders(table: SalesTable) -> Mapping[str, Mapping[int, float]]:
    """Find the products that sold the same on every same weekday of late.

    Parameters
    ----------
    table : SalesTable
        Sales of one bakery; rows without units are days to come, and count for nothing.

    Returns
    -------
    mapping of str to mapping of int to float
        Product -> weekday (Monday is 0) -> units, of the weekdays on which it sold.
    """
    known = table.rows[table.rows["units"].notna()]
    recent = known[known["date"] > known["date"].max() - pd.Timedelta(weeks=WEEKS)]
    recent = recent[recent["units"] > 0]
    found = {}
    for product, rows in recent.groupby("product"):
        by_weekday = rows.groupby(rows["date"].dt.day_of_week)["units"].agg(["min", "max"])
        if len(rows) >= FEWEST_DAYS and (by_weekday["min"] == by_weekday["max"]).all():
            units = by_weekday["max"]
            found[str(product)] = dict(zip(units.index.tolist(), units.tolist(), strict=True))
    return found
