"""Calendar columns: what is known of a day long before it comes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.features.definition import HOLIDAY_REACH_DAYS
from glean.sales.calendars import public_holidays
from glean.sales.table import SalesTable

Floats = NDArray[np.float64]
Days = NDArray[np.int64]

YEAR_DAYS = 365.2425


def day_numbers(dates: pd.Series[pd.Timestamp]) -> Days:
    """Dates as days since 1970-01-01, shape (rows,)."""
    return dates.to_numpy().astype("datetime64[D]").astype(np.int64)


def holiday_days(table: SalesTable, region: str) -> Days:
    """All public holidays around the table, as day numbers, ascending.

    They come from the region's calendar and from the table's own `holiday` column; a holiday on
    which the bakery is closed has no row, so that only the calendar knows it.
    """
    rows = table.rows
    found = np.array([], dtype=np.int64)
    if "holiday" in rows:
        found = day_numbers(rows.loc[rows["holiday"] > 0, "date"])
    if region:
        reach = pd.Timedelta(days=HOLIDAY_REACH_DAYS)
        listed = public_holidays(region, rows["date"].min() - reach, rows["date"].max() + reach)
        found = np.concatenate([found, day_numbers(pd.Series(sorted(listed)))])
    return np.unique(found)


def holiday_columns(days: Days, holidays: Days) -> dict[str, Floats]:
    """Whether a day is a holiday, and how far the next and the last one are (at most 7 days)."""
    after = np.searchsorted(holidays, days, side="right")
    before = np.searchsorted(holidays, days, side="left")
    padded = np.concatenate([[-(10**9)], holidays, [10**9]])
    to_next = np.minimum(padded[after + 1] - days, HOLIDAY_REACH_DAYS)
    since_last = np.minimum(days - padded[before], HOLIDAY_REACH_DAYS)
    return {
        "holiday": (after > before).astype(np.float64),
        "days_to_holiday": to_next.astype(np.float64),
        "days_since_holiday": since_last.astype(np.float64),
    }


def season_columns(dates: pd.Series[pd.Timestamp]) -> dict[str, Floats]:
    """Position in the year on a circle, so that December is next to January."""
    angle = 2 * np.pi * dates.dt.day_of_year.to_numpy() / YEAR_DAYS
    return {"year_sin": np.sin(angle), "year_cos": np.cos(angle)}
