"""When a bakery is open, read from its rows: closed weekdays, gaps, days missing in between."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Days = NDArray[np.datetime64]
"""Days, each once and in order, as datetime64[D]."""

WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")

FEWEST_WEEKS = 4
"""A weekday is called closed only after so many of them."""

CLOSED_SHARE = 0.1
"""A weekday with rows on a smaller share of its days, next to the busiest one, is a day off."""

RARE_SHARE = 0.5
"""A weekday with rows on a smaller share of its days is mostly a day off."""

GAP_DAYS = 4
"""From so many missing days in a row on, days off aside, a gap is named."""

PAUSE_DAYS = 14
"""From so many missing days in a row on it may be a pause, which says nothing about weekdays."""

TIMES_USUAL = 4
"""A pause, and the way to a lone day, is longer than so many times the usual closure."""

LONE_DAYS = 90
"""A day that is farther than this from all others is a lone one."""


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
class LoneDay:
    """A day with a row that is far from all others.

    Parameters
    ----------
    date : date
        The day.
    after, before : int
        Days since the day with a row before it, and until the one after it; 0 where there is none.
    """

    date: dt.date
    after: int
    before: int


@dataclass(frozen=True)
class OpeningDays:
    """When a bakery was open, or a product sold.

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
    single_days : tuple of date
        Missing days that are neither on such weekdays nor in a gap (public holidays, mostly).
    missing_days : int
        Days of gaps (such weekdays not counted) and single ones.
    pauses : tuple of Gap
        Longest first: the gaps that are much longer than what is usual here.
    lone_days : tuple of LoneDay
        Days far from all others.
    """

    first: dt.date
    last: dt.date
    trading_days: int
    days_off: tuple[str, ...]
    mostly_off: tuple[str, ...]
    gaps: tuple[Gap, ...]
    single_days: tuple[dt.date, ...]
    missing_days: int
    pauses: tuple[Gap, ...]
    lone_days: tuple[LoneDay, ...]

    @property
    def weekdays_off(self) -> frozenset[int]:
        """Weekdays on which it is always or mostly closed; Monday is 0."""
        return frozenset(map(WEEKDAYS.index, self.days_off + self.mostly_off))


def opening_days(dates: pd.Series[pd.Timestamp], *, among: Days | None = None) -> OpeningDays:
    """Read opening days from the dates of a bakery's rows.

    Parameters
    ----------
    dates : Series of Timestamp
        One or more, in any order.
    among : array of datetime64[D], optional
        The days that could have a row, `dates` among them: for a product, those on which its
        bakery has one. By default every day.
    """
    open_days = days_of(dates)
    calendar = np.arange(open_days[0], open_days[-1] + 1)
    if among is not None:
        calendar = among[(among >= open_days[0]) & (among <= open_days[-1])]
    if len(calendar) == len(open_days):
        return _always_open(open_days)
    is_open = np.isin(calendar, open_days)
    weekday = (calendar.astype(np.int64) + 3) % 7  # day 0, 1970-01-01, was a Thursday
    paused = _paused(is_open)
    off, rare = _closed_weekdays(weekday[~paused], is_open[~paused])
    missing = ~is_open & ~np.isin(weekday, off + rare)
    paused_days = calendar[paused]
    runs = _runs(calendar[missing], is_open.cumsum(dtype=np.int64)[missing])
    pauses = [run for run in runs if run[0] in paused_days]
    gaps = [run for run in runs if len(run) >= GAP_DAYS or run[0] in paused_days]
    in_gaps = np.concatenate([paused_days[:0], *gaps])
    return OpeningDays(
        first=open_days[0].item(),
        last=open_days[-1].item(),
        trading_days=len(open_days),
        days_off=tuple(WEEKDAYS[day] for day in off),
        mostly_off=tuple(WEEKDAYS[day] for day in rare),
        gaps=_longest_first(gaps),
        single_days=tuple(calendar[missing & ~np.isin(calendar, in_gaps)].tolist()),
        missing_days=int(missing.sum()),
        pauses=_longest_first(pauses),
        lone_days=_lone_days(open_days),
    )


def _always_open(open_days: Days) -> OpeningDays:
    """Say of a span without a missing day what is left to say; most products have such a one."""
    return OpeningDays(
        first=open_days[0].item(),
        last=open_days[-1].item(),
        trading_days=len(open_days),
        days_off=(),
        mostly_off=(),
        gaps=(),
        single_days=(),
        missing_days=0,
        pauses=(),
        lone_days=_lone_days(open_days),
    )


def days_of(dates: pd.Series[pd.Timestamp]) -> Days:
    """List the days of some rows, each once and in order."""
    return np.unique(dates.to_numpy().astype("datetime64[D]"))


def _paused(is_open: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the days of pauses: closures that are far longer than the usual one."""
    closures = np.diff(np.flatnonzero(is_open)) - 1
    is_long = (closures >= PAUSE_DAYS) & (closures > TIMES_USUAL * _usual(closures))
    after = np.append(is_long, False)[np.cumsum(is_open) - 1]
    paused: NDArray[np.bool_] = ~is_open & after
    return paused


def _usual(lengths: NDArray[np.int64]) -> int:
    """Take the median, which one long pause doesn't move; the lower one of two."""
    return int(np.sort(lengths)[(len(lengths) - 1) // 2]) if len(lengths) else 0


def _closed_weekdays(
    weekday: NDArray[np.int64], is_open: NDArray[np.bool_]
) -> tuple[list[int], list[int]]:
    """Name the weekdays that are off, and those that are mostly off; never all of them."""
    shares = np.ones(7)
    for day in range(7):
        if (weekday == day).sum() >= FEWEST_WEEKS:
            shares[day] = is_open[weekday == day].mean()
    shares /= shares.max()
    off = np.flatnonzero(shares < CLOSED_SHARE)
    rare = np.flatnonzero((shares >= CLOSED_SHARE) & (shares < RARE_SHARE))
    return off.tolist(), rare.tolist()


def _runs(days: Days, closure: NDArray[np.int64]) -> list[Days]:
    """Split missing days by the closure that they belong to."""
    return np.split(days, np.flatnonzero(np.diff(closure)) + 1) if len(days) else []


def _longest_first(runs: Iterable[Days]) -> tuple[Gap, ...]:
    gaps = [Gap(run[0].item(), run[-1].item()) for run in runs]
    return tuple(sorted(gaps, key=lambda gap: (-gap.days, gap.first)))


def _lone_days(open_days: Days) -> tuple[LoneDay, ...]:
    steps = np.diff(open_days).astype(np.int64)
    is_far = (steps > LONE_DAYS) & (steps > TIMES_USUAL * _usual(steps))
    if not is_far.any():
        return ()
    after, before = np.append(0, steps), np.append(steps, 0)
    is_lone = np.append(True, is_far) & np.append(is_far, True)
    return tuple(
        LoneDay(open_days[at].item(), int(after[at]), int(before[at]))
        for at in np.flatnonzero(is_lone)
    )
