"""When a bakery is open, read from its rows: closed weekdays, gaps, days missing in between."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")

FEWEST_WEEKS = 4
"""A weekday is called closed only after so many of them."""

CLOSED_SHARE = 0.1
"""A weekday with rows on a smaller share of its days is a day off."""

RARE_SHARE = 0.5
"""A weekday with rows on a smaller share of its days is mostly a day off."""

GAP_DAYS = 4
"""From so many missing days in a row on, days off aside, a gap is named."""


@dataclass(frozen=True)
class Gap:
    """Days in a row without a row.

    Parameters
    ----------
    first, last : date
        First and last missing day.
    """

    first: dt.date
    last: dt.date

    @property
    def days(self) -> int:
        """Calendar days."""
        return (self.last - self.first).days + 1

    def __str__(self) -> str:
        return f"{self.first} to {self.last} ({self.days} days)"


@dataclass(frozen=True)
class OpeningDays:
    """When a bakery was open.

    Parameters
    ----------
    first, last : date
        First and last day with a row.
    trading_days : int
        Days with a row.
    days_off : tuple of str
        Weekdays on which it is closed, from `WEEKDAYS`.
    mostly_off : tuple of str
        Weekdays on which it is closed more often than not.
    gaps : tuple of Gap
        Longest first: `GAP_DAYS` missing days or more in a row, such weekdays not counted.
    single_days : int
        Missing days that are neither on such weekdays nor in a gap (public holidays, mostly).
    missing_days : int
        Days of gaps (such weekdays not counted) and single ones.
    """

    first: dt.date
    last: dt.date
    trading_days: int
    days_off: tuple[str, ...]
    mostly_off: tuple[str, ...]
    gaps: tuple[Gap, ...]
    single_days: int
    missing_days: int


def opening_days(dates: pd.Series[pd.Timestamp]) -> OpeningDays:
    """Read opening days from the dates of a bakery's rows (one or more, in any order)."""
    open_days = np.unique(dates.to_numpy().astype("datetime64[D]"))
    calendar = np.arange(open_days[0], open_days[-1] + 1)
    is_open = np.isin(calendar, open_days)
    weekday = (calendar.astype(np.int64) + 3) % 7  # day 0, 1970-01-01, was a Thursday
    shares = [
        is_open[weekday == day].mean() if (weekday == day).sum() >= FEWEST_WEEKS else 1.0
        for day in range(7)
    ]
    off = [day for day in range(7) if shares[day] < CLOSED_SHARE]
    rare = [day for day in range(7) if CLOSED_SHARE <= shares[day] < RARE_SHARE]
    missing = ~is_open & ~np.isin(weekday, off + rare)
    runs = np.cumsum(is_open)[missing]
    gaps, single = [], 0
    for run in np.unique(runs):
        days = calendar[missing][runs == run]
        if len(days) >= GAP_DAYS:
            gaps.append(Gap(days[0].item(), days[-1].item()))
        else:
            single += len(days)
    return OpeningDays(
        first=open_days[0].item(),
        last=open_days[-1].item(),
        trading_days=len(open_days),
        days_off=tuple(WEEKDAYS[day] for day in off),
        mostly_off=tuple(WEEKDAYS[day] for day in rare),
        gaps=tuple(sorted(gaps, key=lambda gap: (-gap.days, gap.first))),
        single_days=single,
        missing_days=int(missing.sum()),
    )
