"""The weather put into a bakery's table, where the table doesn't have it already."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pandas as pd

from glean.sales.table import SalesTable

WEATHER = ("temperature_c", "rain_mm")
"""Columns of a sales table."""


def with_weather(table: SalesTable, days: Mapping[dt.date, tuple[float, float]]) -> SalesTable:
    """Fill in the weather of days that have been.

    Parameters
    ----------
    table : SalesTable
        A bakery's sales.
    days : mapping of date to (float, float)
        Mean temperature in degrees Celsius and precipitation in millimetres; NaN where not known.

    Returns
    -------
    SalesTable
        The same rows. What a table says itself stays: its thermometer may stand elsewhere, and a
        forecast learned by it. A column that has any value of its own gets no other.

    Examples
    --------
    >>> rows = pd.DataFrame({"date": [pd.Timestamp("2026-05-04")], "bakery": "A"})
    >>> table = SalesTable(rows.assign(product="roll", units=3.0))
    >>> found = with_weather(table, {dt.date(2026, 5, 4): (14.5, 0.0)})
    >>> found.rows["temperature_c"].tolist()
    [14.5]
    """
    if not days or table.rows.empty:
        return table
    rows = table.rows
    known = {pd.Timestamp(day): said for day, said in days.items()}
    told = [known.get(day, (np.nan, np.nan)) for day in rows["date"]]
    columns = {
        name: np.array([said[k] for said in told], dtype=np.float64)
        for k, name in enumerate(WEATHER)
        if name not in rows or rows[name].isna().all()
    }
    return SalesTable(rows.assign(**columns)) if columns else table
