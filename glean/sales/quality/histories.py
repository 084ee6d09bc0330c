"""How long the history of a bakery is, and whether it is long enough to learn from."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from glean.sales.quality.opening_days import days_of
from glean.sales.table import SalesTable
from glean.sales.windows import MIN_TRADING_DAYS

FORECAST_FROM_DAY = 7
"""From so many trading days on a product can be forecast: before, its level isn't known."""


@dataclass(frozen=True)
class ShortHistory:
    """A bakery with too few trading days.

    Parameters
    ----------
    bakery : str
        Its name.
    trading_days : int
        Days with at least one row.
    wanted_days : int
        Trading days from which on a bakery can be learned from.
    """

    bakery: str
    trading_days: int
    wanted_days: int

    def __str__(self) -> str:
        return (
            f"{self.bakery} has {self.trading_days} trading day{'s' * (self.trading_days != 1)}; "
            f"before it has {self.wanted_days} it is not trained on; its products are forecast "
            f"from their {FORECAST_FROM_DAY}th trading day on, by what the others have learned"
        )


def trading_days(table: SalesTable) -> dict[str, int]:
    """Days with at least one row, per bakery in text order."""
    days = table.rows.groupby("bakery")["date"].nunique()
    return {str(bakery): int(days[bakery]) for bakery in table.bakeries}


def short_histories(table: SalesTable, fewest: int = MIN_TRADING_DAYS) -> list[ShortHistory]:
    """Bakeries with fewer than `fewest` trading days, in text order."""
    return [
        ShortHistory(bakery, days, fewest)
        for bakery, days in trading_days(table).items()
        if days < fewest
    ]


def longest_test(rows: pd.DataFrame) -> int:
    """Count the days that can be kept for the test, with enough trading days before them.

    Parameters
    ----------
    rows : DataFrame
        Rows of one bakery with `date` and `units`.

    Returns
    -------
    int
        The most `test_days` with which the bakery is trained on; 0 if there are none. Days before
        its first sale don't count: zeros teach nothing.
    """
    days = days_of(rows["date"])
    sold = rows["date"].to_numpy()[rows["units"].to_numpy() > 0]
    if not len(sold):
        return 0
    days = days[days >= sold.min()]
    if len(days) <= MIN_TRADING_DAYS:
        return 0
    return int((days[-1] - days[MIN_TRADING_DAYS - 1]).astype(int))
