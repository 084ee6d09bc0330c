"""School holidays of a region, as far as the library `holidays` has them, and a table with them."""

from __future__ import annotations

import pandas as pd

from glean.errors import SettingsError
from glean.sales.table import SalesTable

COLUMN = "school_holiday"
"""Of a sales table."""

_FEWEST_DAYS = 20
"""Days a year below which a list is no list of holidays: some countries have a single day."""


def school_holidays(region: str, first: pd.Timestamp, last: pd.Timestamp) -> pd.DatetimeIndex:
    """List the days between two days, both included, on which schools are closed for holidays.

    Parameters
    ----------
    region : str
        Country and part of it, as the library names them: "DE-HH", "AT-9", "FR-Zone A", "NL-Noord".
    first, last : Timestamp
        First and last day that count; of years whose holidays aren't known there are none.

    Raises
    ------
    SettingsError
        The school holidays of the region aren't known; says of which countries they are.

    Examples
    --------
    >>> days = pd.Timestamp("2026-03-01"), pd.Timestamp("2026-03-31")
    >>> [f"{day:%d.%m.}" for day in school_holidays("DE-HH", *days)][::11]
    ['02.03.', '13.03.']
    """
    import holidays

    country, _, part = region.partition("-")
    years = range(first.year, last.year + 1)
    try:
        found = holidays.country_holidays(country, subdiv=part, years=years, categories=("school",))
    except (NotImplementedError, ValueError) as error:
        raise SettingsError(_unknown(region)) from error
    if len(found) < _FEWEST_DAYS:
        raise SettingsError(_unknown(region))
    days = pd.DatetimeIndex(sorted(pd.Timestamp(day) for day in found))
    return days[(days >= first) & (days <= last)]


def with_school_holidays(table: SalesTable, region: str) -> SalesTable:
    """Say of each day of a table whether it is a school holiday, where the table says nothing.

    Raises
    ------
    SettingsError
        As `school_holidays`.
    """
    rows = table.rows
    if not region or rows.empty or (COLUMN in rows and rows[COLUMN].notna().any()):
        return table
    known = school_holidays(region, rows["date"].min(), rows["date"].max())
    return SalesTable(rows.assign(**{COLUMN: rows["date"].isin(known).astype("float64")}))


def _unknown(region: str) -> str:
    return (
        f"school holidays of {region!r} aren't known; wanted a part of Germany, Austria or Poland "
        "like 'DE-HH', 'AT-9' or 'PL-14', or a zone like 'FR-Zone A' or 'NL-Noord'. Others are "
        "entered from a day to a day"
    )
