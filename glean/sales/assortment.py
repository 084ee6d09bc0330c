"""The assortment: on which days each product is on offer, read from the days on which it sold.

A bakery doesn't say that a product is for weekends, ended its season, or was dropped: it has no
sales then, with a row of zero or without one. Everything counts the bakery's own open days, so that
a holiday closes no season and drops no product.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.sales.table import SalesTable

Days = NDArray[np.datetime64]
Flags = NDArray[np.bool_]

RECENT_DAYS = 182
"""Calendar days whose weekdays say on which of them a product is on offer."""

RARE_SHARE = 0.1
"""A weekday with sales on a smaller share of its days, next to the busiest one, isn't one of the
product's, ..."""

CHANCE = 0.01
"""... unless a product that sells as seldom as this one on other weekdays would have none with a
chance of more than this."""

DROPPED_DAYS = 12
"""Open days without a sale after which a product may have been dropped, ..."""

TIMES_USUAL = 2
"""... if it never paused half as long before; two baking weeks are longer than most holidays."""

SEASON_PAUSE_DAYS = 45
"""Open days without a sale that part two seasons."""

YEARLY = (300, 430)
"""Days from the first day of one season to that of the next; Easter moves by a month."""

EXTENDED_DAYS = 3
"""A season that went on for more days than the last one's length has no known end."""


class Absence(StrEnum):
    """Why a product that once sold isn't on offer on a day."""

    WEEKDAY = "weekday"
    SEASON_OVER = "season over"
    DROPPED = "dropped"


@dataclass(frozen=True)
class Offer:
    """When one product is on offer, as of the last day of a table.

    Parameters
    ----------
    product : str
        The product.
    last_sold : Timestamp
        Last day with a sale.
    idle_days : int
        Open days since, on the product's weekdays.
    weekdays_off : frozenset of int
        Weekdays on which it isn't sold, though the bakery is open; Monday is 0.
    dropped : bool
        Whether it stayed away for longer than it ever does.
    season_end : Timestamp or None
        Day on which its season should end, by the length of the last one; None where it has none.
    """

    product: str
    last_sold: pd.Timestamp
    idle_days: int
    weekdays_off: frozenset[int]
    dropped: bool
    season_end: pd.Timestamp | None

    def absence(self, day: pd.Timestamp) -> Absence | None:
        """Say why the product isn't on offer on a day to come; None where it is."""
        if self.dropped:
            return Absence.DROPPED
        if self.season_end is not None and day > self.season_end:
            return Absence.SEASON_OVER
        return Absence.WEEKDAY if day.day_of_week in self.weekdays_off else None


def offers_of(table: SalesTable) -> tuple[Offer, ...]:
    """Read when the products of one bakery are on offer.

    Parameters
    ----------
    table : SalesTable
        Sales of one bakery; rows without units are days to come, and count for nothing.

    Returns
    -------
    tuple of Offer
        A product each that ever sold, in text order.
    """
    sold = table.rows[table.rows["units"] > 0]
    known = table.rows.loc[table.rows["units"].notna(), "date"]
    open_days = np.unique(known.to_numpy().astype("datetime64[D]"))
    return tuple(
        _offer(str(product), np.unique(rows["date"].to_numpy().astype("datetime64[D]")), open_days)
        for product, rows in sold.groupby("product", sort=True)
    )


def _offer(product: str, days: Days, open_days: Days) -> Offer:
    off = _weekdays_off(days, open_days)
    its_days, its_sold = (one[~np.isin(_weekday(one), sorted(off))] for one in (open_days, days))
    idle = int((its_days > days[-1]).sum())
    pauses = np.diff(np.searchsorted(its_days, its_sold)) - 1
    usual = int(pauses[pauses < SEASON_PAUSE_DAYS].max(initial=0))
    return Offer(
        product,
        last_sold=pd.Timestamp(days[-1]),
        idle_days=idle,
        weekdays_off=off,
        dropped=idle >= DROPPED_DAYS and idle > TIMES_USUAL * usual,
        season_end=_season_end(its_sold, pauses, today=open_days[-1]),
    )


def _weekdays_off(days: Days, open_days: Days) -> frozenset[int]:
    """Weekdays of the product's last half year on which it didn't sell, by more than chance."""
    first = max(days[0], days[-1] - np.timedelta64(RECENT_DAYS, "D"))
    could = open_days[(open_days >= first) & (open_days <= days[-1])]
    there = np.bincount(_weekday(could), minlength=7)
    sold = np.bincount(_weekday(days[days >= first]), minlength=7)
    share = np.divide(sold, there, out=np.zeros(7), where=there > 0)
    off = set()
    for weekday in np.flatnonzero((there > 0) & (share < RARE_SHARE * share.max())).tolist():
        others = np.arange(7) != weekday
        elsewhere = sold[others].sum() / max(there[others].sum(), 1)
        if (1 - elsewhere) ** there[weekday] <= CHANCE:
            off.add(weekday)
    return frozenset(off)


def _season_end(
    days: Days, pauses: NDArray[np.int64], *, today: np.datetime64
) -> pd.Timestamp | None:
    """Expect the season to last as long as that of a year before; None where that isn't known."""
    ends = np.flatnonzero(pauses >= SEASON_PAUSE_DAYS)
    if not len(ends):
        return None
    first = days[ends[-1] + 1]
    last_first = days[ends[-2] + 1] if len(ends) > 1 else days[0]
    between, length = (first - last_first).astype(int), days[ends[-1]] - last_first
    expected = first + length
    if not YEARLY[0] <= between <= YEARLY[1] or today > expected + EXTENDED_DAYS:
        return None
    return pd.Timestamp(expected)


def _weekday(days: Days) -> NDArray[np.int64]:
    return (days.astype(np.int64) + 3) % 7  # day 0, 1970-01-01, was a Thursday
