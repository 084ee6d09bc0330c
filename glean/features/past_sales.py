"""What a bakery's past says of each row: the history columns, and the level of its product.

In come a bakery's rows; out come columns divided by the mean of the product's last 28 trading days,
that mean, and the level: what the product usually sells on such a weekday.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.features.definition import (
    LAGS,
    LEVEL_DAYS,
    MEAN_DAYS,
    MIN_LEVEL_DAYS,
    RATIO_SHARES,
    WEEKDAY_LAGS,
    WEEKDAY_MEANS,
    WEEKDAY_NAMES,
    WEEKDAY_SHARE,
)
from glean.features.history import WEEK, History, keys_of
from glean.features.seasons import PAUSE_DAYS, Seasons, one_season, seasons_of

Floats = NDArray[np.float64]
Days = NDArray[np.int64]
Flags = NDArray[np.bool_]
Columns = dict[str, Floats]

SAME_DAY_LAST_YEAR = 52 * WEEK

LONGEST_MEAN = 26
"""Same weekdays that an exponential mean reaches back over: half a year."""

SAME_WEEKDAYS_PRIOR = 2
"""Same weekdays that count as much as the mean of the last 28 days does in the level."""

FARTHEST_LEVEL = 10.0
"""A weekday's level is at most so many times the mean of 28 days, and at least its share."""


@dataclass(frozen=True)
class PastSales:
    """One bakery's rows, and from where each is looked at.

    Parameters
    ----------
    rows : DataFrame
        The table.
    days, series, origins : int arrays of shape (rows,)
        Day and product of each row, by number (products in their order), and the last day that its
        forecast sees.
    units : array of shape (rows,)
        NaN for days still to come, and for outlier days.
    totals : array of shape (rows,)
        Units that count in the bakery's total: of outlier days the usual ones.
    ordinary : bool array of shape (rows,)
        Whether the day is neither a holiday nor the day before one.
    """

    rows: pd.DataFrame
    days: Days
    series: Days
    units: Floats
    totals: Floats
    origins: Days
    ordinary: Flags

    @cached_property
    def seasons(self) -> Seasons:
        """Which sales levels and means of each row are of."""
        return seasons_of(self.series, self.days, self.units, self.origins)

    def history(self, values: Floats) -> History:
        """Look at values of the rows (NaN: none) by season."""
        return self._history(values, self.seasons)

    def by_weekday(self, values: Floats) -> History:
        """Likewise by season and weekday; each row looks at its own weekday."""
        return self._history(values, self.seasons.by_weekday(self.days))

    def without_holidays(self, values: Floats, *, across_pauses: bool = False) -> History:
        """By weekday; holidays and days before them take a place and don't count.

        By season too, or across all pauses: what is relative to a level outlasts them.
        """
        seasons = one_season(self.series) if across_pauses else self.seasons
        counting = np.where(self.ordinary, values, np.nan)
        return self._history(values, seasons.by_weekday(self.days), counting)

    def _history(self, values: Floats, seasons: Seasons, counting: Floats | None = None) -> History:
        there = ~np.isnan(values[seasons.sales])
        sales = seasons.sales[there]
        return History.at(
            seasons.of_sales[there],
            self.days[sales],
            (values if counting is None else counting)[sales],
            rows=seasons.of_rows,
            origins=self.origins,
            count=seasons.count,
        )


def bakery_history(sales: PastSales) -> tuple[Columns, Floats]:
    """How the bakery as a whole did, by the mean of its last 28 days; and that mean."""
    asked, position = np.unique(sales.days, return_inverse=True)
    sold = ~np.isnan(sales.totals)
    units = np.full(len(asked), np.nan)
    open_days = np.unique(position[sold])
    units[open_days] = np.bincount(position[sold], sales.totals[sold])[open_days]
    origins = asked - (sales.days[0] - sales.origins[0])
    whole = PastSales(
        rows=sales.rows,
        days=asked,
        series=np.zeros(len(asked), dtype=np.int64),
        units=units,
        totals=units,
        origins=origins,
        ordinary=np.ones(len(asked), dtype=bool),
    )
    history, weekdays = whole.history(units), whole.by_weekday(units)
    last = np.searchsorted(asked[open_days], origins, side="right") - 1
    gap = np.where(last >= 0, origins - asked[open_days][np.maximum(last, 0)], np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_28 = _positive(history.mean(LEVEL_DAYS, at_least=MIN_LEVEL_DAYS))
        columns = {
            # What follows a holiday or a week off says nothing of the first day after a pause.
            "days_closed_before": np.where(gap >= PAUSE_DAYS, 0.0, np.minimum(gap, LEVEL_DAYS)),
            "bakery_lag_1": history.lag(1) / mean_28,
            "bakery_mean_7": history.mean(7) / mean_28,
            "bakery_weekday_mean_4": weekdays.mean(4) / mean_28,
        }
    return {name: values[position] for name, values in columns.items()}, mean_28[position]


def product_history(sales: PastSales, bakery_mean: Floats) -> tuple[Columns, Floats, Floats]:
    """Lags and means of each product by the mean of its last 28 days; that mean; its level."""
    history, weekdays = sales.history(sales.units), sales.by_weekday(sales.units)
    mean_28 = _positive(history.mean(LEVEL_DAYS, at_least=MIN_LEVEL_DAYS))
    mean_28[sales.seasons.paused] = np.nan
    absolute = {f"lag_{k}": history.lag(k) for k in LAGS}
    absolute |= {f"mean_{k}": history.mean(k) for k in MEAN_DAYS}
    absolute["deviation_28"] = history.deviation(LEVEL_DAYS)
    absolute |= {f"weekday_lag_{k}": weekdays.lag(k) for k in WEEKDAY_LAGS}
    absolute |= {f"weekday_mean_{k}": weekdays.mean(k) for k in WEEKDAY_MEANS}
    usual = sales.without_holidays(sales.units)
    absolute["weekday_ewm"] = usual.exponential_mean(LONGEST_MEAN, WEEKDAY_SHARE)
    columns = {name: values / mean_28 for name, values in absolute.items()}
    columns |= _ratios(sales, mean_28)
    columns["share_of_bakery"] = np.log(mean_28 / bakery_mean)
    columns |= _changes(sales)
    seen = usual.count(LONGEST_MEAN)
    return columns, mean_28, mean_28 * weekday_level(columns, seen)


def _ratios(sales: PastSales, mean_28: Floats) -> Columns:
    """Give what the same weekdays, and each weekday, sold for each unit of the mean of then."""
    # By a level that others' days stand in for nothing is told of a weekday.
    ratio = np.where(sales.seasons.young, np.nan, sales.units / mean_28)
    ratios = sales.without_holidays(ratio, across_pauses=True)
    slow, fast = (ratios.exponential_means(LONGEST_MEAN, share) for share in RATIO_SHARES)
    columns = {
        "weekday_ratio_6": ratios.looked_up(slow),
        "weekday_ratio_15": ratios.looked_up(fast),
    }
    for weekday, name in enumerate(WEEKDAY_NAMES):
        other = ratios.of(sales.series * WEEK + weekday)
        columns[f"profile_{name}"] = other.looked_up(slow)
    return columns


def weekday_level(columns: Columns, seen: Floats) -> Floats:
    """Give what is usual on such a weekday, in means of the last 28 days.

    The geometric mean of what the same weekdays sold of late and of what they sold for each unit of
    the mean of then, drawn towards 1 where few have been seen.
    """
    usual = np.sqrt(columns["weekday_ewm"] * columns["weekday_ratio_15"])
    usual = np.clip(np.nan_to_num(usual, nan=1.0), 1 / FARTHEST_LEVEL, FARTHEST_LEVEL)
    found: Floats = usual ** (seen / (seen + SAME_WEEKDAYS_PRIOR))
    return found


def _positive(level: Floats) -> Floats:
    return np.where(level > 0, level, np.nan)


def year_lag(sales: PastSales, relative: Floats) -> Floats:
    """Find what each row has (shape (rows,)) on the same weekday 52 weeks ago; NaN without one."""
    keys = keys_of(sales.series, sales.days)
    order = np.argsort(keys, kind="stable")
    wanted = keys - SAME_DAY_LAST_YEAR
    position = order[np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)]
    return np.where(keys[position] == wanted, relative[position], np.nan)


def _changes(sales: PastSales) -> Columns:
    """Price and temperature against what they were over the last 28 trading days."""
    price, recent_price = _against_recent(sales, "price")
    warmth, recent_warmth = _against_recent(sales, "temperature_c")
    with np.errstate(invalid="ignore", divide="ignore"):
        price_change = np.log(price / recent_price)
    price_change[~np.isfinite(price_change)] = np.nan
    return {"price_change": price_change, "temperature_change": warmth - recent_warmth}


def _against_recent(sales: PastSales, name: str) -> tuple[Floats, Floats]:
    values = given(sales.rows, name)
    recent = sales.history(np.where(np.isnan(sales.units), np.nan, values))
    return values, recent.mean(LEVEL_DAYS)


def given(rows: pd.DataFrame, name: str) -> Floats:
    """Take a column of the table; NaN where it isn't there."""
    if name not in rows:
        return np.full(len(rows), np.nan)
    return rows[name].to_numpy(dtype=np.float64)
