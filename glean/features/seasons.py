"""Pauses part a product's sales into seasons; the first days of one lean on an earlier one.

In come days and units by product; out comes which sales each row's levels, lags and means are of.
After a pause they don't reach back across it, but to two weeks on offer that stand in front of the
season's own: the same days a year before, or the first ones of a season that began about then, or
else the last ones before the pause. Once a season has as many days of its own, nothing stands in:
so a day's sales enter few more records than without pauses (`tests/privacy/test_gaussian_dp.py`).
A row sees a pause as soon as its forecast's origin does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from glean.features.history import WEEK, keys_of, weekday_of

Floats = NDArray[np.float64]
Days = NDArray[np.int64]
Flags = NDArray[np.bool_]

PAUSE_DAYS = 45
"""Days from one sale of a product to the next, more than which part two seasons."""

STAND_IN_DAYS = 14
"""Days on offer that stand in front of a season's own, until it has so many."""

YEAR_DAYS = 52 * WEEK
YEARLY = (340, 395)
"""Days from the first day of one season to that of the next; Easter moves by so much."""

FEWEST_SAME_DAYS = 7
"""Days on offer a year before that can stand in."""


@dataclass(frozen=True)
class Seasons:
    """Which sales each row looks back on.

    Parameters
    ----------
    of_rows : int array of shape (rows,)
        Number of each row's season; while others' days stand in, one of its own.
    sales, of_sales : int arrays of shape (sales,)
        Rows that are looked back on, and the season in which; those that stand in for another
        season's are there once more.
    count : int
        How many seasons there are.
    young : bool array of shape (rows,)
        Rows in front of whose season's own days others stand.
    paused : bool array of shape (rows,)
        Rows without a sale in a pause: the product wasn't on offer.
    """

    of_rows: Days
    sales: Days
    of_sales: Days
    count: int
    young: Flags
    paused: Flags

    def by_weekday(self, days: Days) -> Seasons:
        """Part each season by weekday; `days` of shape (rows,) are those of the rows."""
        return replace(
            self,
            of_rows=self.of_rows * WEEK + weekday_of(days),
            of_sales=self.of_sales * WEEK + weekday_of(days[self.sales]),
            count=self.count * WEEK,
        )


@dataclass(frozen=True)
class _Sold:
    """Days with a sale, ordered by product and day, and the season of each.

    Parameters
    ----------
    keys, series, days, seasons : int arrays of shape (sold,)
        Product and day as one number, both apart, and the season.
    first : int array of shape (products,)
        Number of each product's first season; its last one is still to come.
    """

    keys: Days
    series: Days
    days: Days
    seasons: Days
    first: Days

    @classmethod
    def of(cls, series: Days, days: Days, *, products: int) -> Self:
        """Part days with a sale, in any order, into seasons."""
        order = np.argsort(keys_of(series, days), kind="stable")
        series, days = series[order], days[order]
        begins = np.ones(len(days), dtype=bool)
        begins[1:] = (series[1:] != series[:-1]) | (np.diff(days) > PAUSE_DAYS)
        number = np.cumsum(begins) - 1
        earlier = np.bincount(series[begins], minlength=products).cumsum()
        first = np.concatenate([[0], earlier[:-1]]) + np.arange(products)
        return cls(keys_of(series, days), series, days, number + series, first)

    def seasons_at(self, series: Days, days: Days, upto: Days) -> tuple[Days, Flags]:
        """Give the season of each row, by the sales up to days; and say where one just begins.

        Of a product without a sale it is the first.
        """
        place = np.searchsorted(self.keys, keys_of(series, upto), side="right") - 1
        last = np.maximum(place, 0)
        if not len(self.keys):
            return self.first[series], np.zeros(len(series), dtype=bool)
        there = (place >= 0) & (self.series[last] == series)
        begins = there & (days - self.days[last] > PAUSE_DAYS)
        return np.where(there, self.seasons[last] + begins, self.first[series]), begins


def one_season(series: Days) -> Seasons:
    """Take all rows of a product, shape (rows,) by number, for one season."""
    rows, never = np.arange(len(series)), np.zeros(len(series), dtype=bool)
    return Seasons(series, rows, series, int(series.max()) + 1, never, never)


def seasons_of(series: Days, days: Days, units: Floats, origins: Days) -> Seasons:
    """Part the sales of products into seasons.

    Parameters
    ----------
    series, days, origins : int arrays of shape (rows,)
        Number of each row's product, its day, and the last day that its forecast sees.
    units : array of shape (rows,)
        NaN where nothing is known of the row.
    """
    positive, known = units > 0, np.flatnonzero(~np.isnan(units))
    sold = _Sold.of(series[positive], days[positive], products=int(series.max()) + 1)
    of_rows, begins = sold.seasons_at(series, days, origins)
    of_known, idle = sold.seasons_at(series[known], days[known], days[known])
    own, of_own = known[~idle], of_known[~idle]
    own_keys = np.sort(keys_of(of_own, days[own]))
    upto = np.searchsorted(own_keys, keys_of(of_rows, origins), side="right")
    own_days = upto - np.searchsorted(own_keys, keys_of(of_rows, np.zeros_like(days)))
    young = (of_rows > sold.first[series]) & (own_days < STAND_IN_DAYS)
    sales, of_sales, behind = [own], [of_own], int(max(of_rows.max(), of_own.max(initial=0))) + 1
    paused = begins & (units == 0)
    for season in np.unique(of_rows[young & ~paused]).tolist():
        begins_on = int(days[young & ~paused & (of_rows == season)].min())
        stand_ins = _stand_ins(season, begins_on, sold, days, own, of_own)
        sales += [stand_ins, own[of_own == season]]
        of_sales += [np.full(len(rows), season + behind) for rows in sales[-2:]]
    numbers, places = np.unique(
        np.concatenate([np.where(young, of_rows + behind, of_rows), *of_sales]), return_inverse=True
    )
    return Seasons(
        of_rows=places[: len(of_rows)],
        sales=np.concatenate(sales),
        of_sales=places[len(of_rows) :],
        count=len(numbers),
        young=young,
        paused=paused,
    )


def _stand_ins(
    season: int, begins_on: int, sold: _Sold, days: Days, sales: Days, of_sales: Days
) -> Days:
    """Choose the rows that stand in front of a season's own."""
    product_first = int(sold.first[np.searchsorted(sold.first, season, side="right") - 1])
    earlier = np.arange(product_first, season)
    first, last = (
        np.array([int(sold.days[sold.seasons == one][end]) for one in earlier]) for end in (0, -1)
    )
    # Of rows behind a season's last sale nobody knows whether the product was on offer.
    mine = (of_sales >= product_first) & (of_sales < season)
    candidates, theirs = sales[mine], of_sales[mine] - product_first
    on_offer = candidates[(days[candidates] >= first[theirs]) & (days[candidates] <= last[theirs])]
    on_offer = on_offer[np.argsort(days[on_offer], kind="stable")]
    return on_offer[_stand_in_place(days[on_offer], first, begins_on) :][:STAND_IN_DAYS]


def _stand_in_place(on_offer: Days, first_days: Days, begins_on: int) -> int:
    """Choose the first of the days on offer (ordered) that stand in for a season that begins."""
    latest = max(len(on_offer) - STAND_IN_DAYS, 0)
    year_before = begins_on - YEAR_DAYS
    same, behind = np.searchsorted(on_offer, (year_before, year_before + STAND_IN_DAYS)).tolist()
    if behind - same >= FEWEST_SAME_DAYS:
        return int(min(same, latest))
    ago = begins_on - first_days
    yearly = first_days[(ago >= YEARLY[0]) & (ago <= YEARLY[1])]
    return min(int(np.searchsorted(on_offer, yearly[-1])), latest) if len(yearly) else latest
