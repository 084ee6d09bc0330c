"""Training, validation and test window of one bakery, by calendar date."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from glean.sales.table import SalesTable
from glean.settings import WindowSettings

MIN_TRADING_DAYS = 14
"""A bakery with fewer trading days before the test isn't trained on (but is forecast)."""

SEASON_DAYS = 548
"""A year and a half: with a single year each date was seen once, and a model takes what happened
on it for the season (validation WAPE of restaurants-100: 0.403 with 365 days, 0.384 with 548)."""

NEWCOMER_DAYS = 60
"""A bakery with at most this many days before the test is a newcomer."""


@dataclass(frozen=True)
class Windows:
    """First days of the validation and of the test window of one bakery.

    Parameters
    ----------
    first_day : Timestamp
        First day with a row.
    validation_start, test_start : Timestamp
        Training ends the day before `validation_start`, validation the day before `test_start`.
    trading_days : int
        Days with at least one row before the test.
    """

    first_day: pd.Timestamp
    validation_start: pd.Timestamp
    test_start: pd.Timestamp
    trading_days: int

    @property
    def days_before_test(self) -> int:
        """Calendar days from the first row to the day before the test."""
        return max((self.test_start - self.first_day).days, 0)

    @property
    def cohort(self) -> str:
        """Either "newcomer" or "established"."""
        return "newcomer" if self.days_before_test <= NEWCOMER_DAYS else "established"

    @property
    def trains(self) -> bool:
        """Whether there are enough trading days to learn from."""
        return self.trading_days >= MIN_TRADING_DAYS

    @property
    def knows_season(self) -> bool:
        """Whether the training window is long enough to learn the season from."""
        return (self.validation_start - self.first_day).days >= SEASON_DAYS


def windows_of(table: SalesTable, settings: WindowSettings) -> Windows:
    """Lay the windows over one bakery's table.

    The test window starts at `test_start`, or `test_days` before the end of the table. The
    validation window is the last min(`validation_days`, a fifth of the days) before the test.
    """
    dates = table.rows["date"]
    first, last = dates.min(), dates.max()
    if settings.test_start:
        test_start = pd.Timestamp(settings.test_start)
    else:
        test_start = last - pd.Timedelta(days=settings.test_days - 1)
    days_before = max((test_start - first).days, 0)
    validation_days = min(settings.validation_days, days_before // 5)
    return Windows(
        first_day=first,
        validation_start=test_start - pd.Timedelta(days=validation_days),
        test_start=test_start,
        trading_days=int(dates[dates < test_start].nunique()),
    )
