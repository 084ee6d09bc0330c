"""On which days products are on offer, read from the days on which they sold."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import pytest

from glean.sales.assortment import DROPPED_DAYS, Absence, Offer, offers_of
from glean.sales.table import SalesTable

YEARS = pd.date_range("2022-01-03", "2024-11-15", freq="D")
OPEN = YEARS[YEARS.day_of_week != 0]  # closed on Mondays
LAST = OPEN[-1]  # a Friday


def table(**products: Iterable[pd.Timestamp]) -> SalesTable:
    """A bakery that sold bread on all its days, and others on some; with rows of zero or none."""
    parts = [pd.DataFrame({"date": OPEN, "product": "bread", "units": 50.0})]
    for name, days in products.items():
        sold = OPEN[OPEN.isin(list(days))]
        units = np.where(OPEN.isin(sold), 20.0, 0.0)
        rows = pd.DataFrame({"date": OPEN, "product": name, "units": units})
        parts.append(rows if name.endswith("_zeros") else rows[rows["units"] > 0])
    return SalesTable(pd.concat(parts, ignore_index=True).assign(bakery="b"))


def offer(days: Iterable[pd.Timestamp], *, zeros: bool = False) -> Offer:
    name = "bun_zeros" if zeros else "bun"
    found = {one.product: one for one in offers_of(table(**{name: days}))}
    assert found["bread"].absence(LAST + pd.Timedelta(days=1)) is None
    return found[name]


def weekend() -> pd.DatetimeIndex:
    return OPEN[OPEN.day_of_week >= 5]


def stollen(*, until: str = "2024-11-15") -> pd.DatetimeIndex:
    day = OPEN.month * 100 + OPEN.day
    return OPEN[(day >= 1110) & (day <= 1224) & (pd.Timestamp(until) >= OPEN)]


@pytest.mark.parametrize("zeros", [False, True])
def test_a_weekend_product_is_on_offer_on_weekends(zeros: bool) -> None:
    found = offer(weekend(), zeros=zeros)
    assert found.weekdays_off == {1, 2, 3, 4}
    absences = [found.absence(LAST + pd.Timedelta(days=k)) for k in range(1, 9)]
    assert absences == [None, None, None, *[Absence.WEEKDAY] * 4, None]  # Sat, Sun, Mon, ...
    assert not found.dropped


def test_a_product_that_sells_now_and_then_has_all_weekdays() -> None:
    """A cake every eleven days may not sell on a weekday for months, by chance."""
    assert not offer(OPEN[::11]).weekdays_off
    assert not offer(OPEN[-40::9]).weekdays_off


def test_a_new_weekday_counts_and_an_old_one_is_forgotten() -> None:
    """Of the last half year."""
    since = pd.Timestamp("2024-05-01")
    days = OPEN[
        ((since > OPEN) & (OPEN.day_of_week == 2)) | ((since <= OPEN) & (OPEN.day_of_week == 4))
    ]
    assert offer(days).weekdays_off == {1, 2, 3, 5, 6}


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize(("idle", "dropped"), [(DROPPED_DAYS - 1, False), (DROPPED_DAYS, True)])
def test_a_product_that_stays_away_was_dropped(idle: int, dropped: bool, zeros: bool) -> None:
    """Sold every day for years, and then not."""
    found = offer(OPEN[:-idle], zeros=zeros)
    assert (found.idle_days, found.dropped) == (idle, dropped)
    assert found.last_sold == OPEN[-idle - 1]
    expected = Absence.DROPPED if dropped else None
    assert found.absence(LAST + pd.Timedelta(days=1)) is expected


def test_what_pauses_now_and_then_may_pause_again() -> None:
    """For up to twice as long as it ever did."""
    assert not offer(OPEN[::-1][22::12]).dropped
    assert offer(OPEN[::-1][23::12]).dropped


def test_days_on_which_the_bakery_is_closed_drop_nothing() -> None:
    """All products were last sold before a holiday of the whole bakery."""
    away = SalesTable(table(bun=OPEN).rows.query("date < '2024-09-01' or date > '2024-11-13'"))
    assert not any(one.dropped for one in offers_of(away))


def test_a_season_ends_as_long_after_its_first_day_as_the_last_one() -> None:
    found = offer(stollen())
    assert found.season_end == pd.Timestamp("2024-12-24")
    assert found.absence(pd.Timestamp("2024-12-24")) is None
    assert found.absence(pd.Timestamp("2024-12-27")) is Absence.SEASON_OVER
    before = offer(stollen(until="2024-03-01"))
    assert before.dropped
    assert before.last_sold == pd.Timestamp("2023-12-24")


def test_a_season_that_moves_with_easter_keeps_its_length() -> None:
    """Four weeks in March, then three weeks later in the year that follows."""
    first, second = pd.Timestamp("2023-09-15"), pd.Timestamp("2024-10-30")
    days = [*pd.date_range(first, periods=28), *pd.date_range(second, LAST)]
    assert offer(days).season_end == second + pd.Timedelta(days=27)


@pytest.mark.parametrize(
    "days",
    [
        OPEN,
        OPEN[pd.Timestamp("2024-08-01") <= OPEN],
        [*OPEN[:30], *OPEN[pd.Timestamp("2024-09-01") <= OPEN]],
        [*pd.date_range("2023-10-01", periods=10), *pd.date_range("2024-10-01", LAST)],
    ],
    ids=["always", "new", "came back after years", "goes on for longer"],
)
def test_other_products_have_no_season(days: Iterable[pd.Timestamp]) -> None:
    assert offer(days).season_end is None


def test_days_to_come_count_for_nothing() -> None:
    """Nor does a product that never sold have an offer."""
    rows = table(bun=OPEN).rows
    ahead = pd.date_range(LAST + pd.Timedelta(days=1), periods=20)
    more = pd.DataFrame({"date": ahead, "product": "bread", "units": np.nan, "bakery": "b"})
    never = pd.DataFrame({"date": OPEN, "product": "cake", "units": 0.0, "bakery": "b"})
    found = offers_of(SalesTable(pd.concat([rows, more, never], ignore_index=True)))
    assert found == offers_of(SalesTable(rows))
