"""Days still to come: the rows of a table that a forecast is asked for.

In come a bakery's sales and the days asked; out comes the table with a row for each product on each
open day between the last sale and the last day asked, without units.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from glean.errors import SettingsError
from glean.sales.opening_days import WEEKDAYS, opening_days
from glean.sales.table import FLAGS, SalesTable

MOST_DAYS = 28
"""Days ahead that a forecast can be asked for."""

SELLING_DAYS = 28
"""A product that wasn't sold on any of the bakery's last days of this number isn't forecast."""

RECENT_DAYS = 182
"""Days whose weekdays say when the bakery is open."""


def with_coming_days(
    table: SalesTable, *, until: pd.Timestamp, asked: tuple[pd.Timestamp, ...] = ()
) -> SalesTable:
    """Add the days to come to one bakery's table.

    Parameters
    ----------
    table : SalesTable
        Rows of one bakery. Rows without units after the last sale are plans of the user's (a
        promotion, a price, a weather forecast) and are kept.
    until : Timestamp
        Last day to forecast.
    asked : tuple of Timestamp
        Days that count as open whatever the weekday, because they were asked for.

    Returns
    -------
    SalesTable
        Sorted as ever; new rows have NaN units and know price and holidays only. A price is the
        last one; what else isn't known stays empty.

    Raises
    ------
    SettingsError
        `until` isn't after the last sale, or more than `MOST_DAYS` after it.
    """
    rows = table.rows
    sold = rows[rows["units"].notna()]
    last = sold["date"].max()
    if not last < until <= last + pd.Timedelta(days=MOST_DAYS):
        raise SettingsError(
            f"found {until.date()} as the day to forecast; the sales end on {last.date()}: wanted "
            f"one of the {MOST_DAYS} days after that. Newer sales make it possible and better"
        )
    closed = _closed_weekdays(sold)
    days = pd.date_range(last + pd.Timedelta(days=1), until, freq="D")
    days = days[~days.day_of_week.isin(closed) | days.isin(list(asked))]
    recent = sold[sold["date"] > last - pd.Timedelta(days=SELLING_DAYS)]
    given = set(zip(rows["product"], rows["date"], strict=True))
    added = [
        {"date": day, "bakery": sold["bakery"].iloc[0], "product": product, "units": np.nan}
        | _usual(group)
        for product, group in recent.groupby("product", sort=True)
        for day in days
        if (product, day) not in given
    ]
    whole = pd.concat([rows, pd.DataFrame(added)], ignore_index=True) if added else rows
    return SalesTable(whole.sort_values(["product", "date"], ignore_index=True))


def _closed_weekdays(sold: pd.DataFrame) -> list[int]:
    recent = sold.loc[sold["date"] > sold["date"].max() - pd.Timedelta(days=RECENT_DAYS), "date"]
    opening = opening_days(recent)
    return [WEEKDAYS.index(day) for day in (*opening.days_off, *opening.mostly_off)]


def _usual(rows: pd.DataFrame) -> dict[str, object]:
    """Say what is taken for granted of a coming day: the last price, and no promotion."""
    found: dict[str, object] = {"price": rows["price"].iloc[-1]} if "price" in rows else {}
    found |= {flag: 0.0 for flag in FLAGS if flag in rows and flag == "promotion"}
    return found | ({"sold_out_at": ""} if "sold_out_at" in rows else {})
