"""Days on which all products are far off: several days in one, parts of a day, and others."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glean.operations.tables.remarks import remarks_of
from glean.sales.quality.data_check import examine
from glean.sales.quality.health import Report
from tests.sales.quality.sales_weeks import file_of

PRODUCTS = ("Rolls", "Loaf", "Cake", "Bun")


def shop(days: int = 140, *, seed: int = 3) -> pd.DataFrame:
    """Poisson counts of four products, a day and product each in order."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2024-01-01", periods=days)  # a Monday
    mean = np.array([300.0, 60.0, 20.0, 90.0]) * (1 + 0.4 * (dates.day_of_week == 5))[:, None]
    rows = pd.DataFrame(rng.poisson(mean) * 1.0, index=dates, columns=PRODUCTS)
    long = rows.rename_axis("date").reset_index().melt("date", var_name="product")
    return pd.DataFrame(long.rename(columns={"value": "units"}).assign(bakery="A"))


def scaled(rows: pd.DataFrame, day: str, times: float) -> pd.DataFrame:
    at = rows["date"] == day
    return rows.assign(units=rows["units"].where(~at, (rows["units"] * times).round()))


def looked_at(folder: Path, rows: pd.DataFrame) -> tuple[Report, str]:
    report = examine(file_of(folder, rows), today=dt.date(2026, 1, 1))
    return report, "\n".join(remarks_of(report))


def test_plain_sales_have_no_odd_day(tmp_path: Path) -> None:
    """Chance and Saturdays make none, nor does one product that is ten times the usual."""
    rows = shop()
    one = (rows["date"] == "2024-03-05") & (rows["product"] == "Bun")
    rows.loc[one, "units"] = 900.0
    report, remarks = looked_at(tmp_path, rows)
    assert report.bakeries[0].odd_days == ()
    assert "A: 1 outlier by size: Bun on 5 Mar 2024, 900 where about" in remarks, (
        "an outlier of one product is still listed"
    )
    assert "An event, or a slip? Glean leaves it out as a single order." in remarks


def test_several_days_booked_on_one_are_told(tmp_path: Path) -> None:
    """A day of three times the usual after two days without rows isn't an event."""
    rows = scaled(shop(), "2024-03-07", 3.0)
    rows = rows[~rows["date"].between("2024-03-05", "2024-03-06")]
    report, remarks = looked_at(tmp_path, rows)
    (day,) = report.bakeries[0].odd_days
    assert (day.date, day.missing_before, day.is_several_in_one) == (dt.date(2024, 3, 7), 2, True)
    assert f"A: several days booked on one? 7 Mar 2024 ({day.times_usual:.1f} times" in remarks
    assert "nothing on the 2 days before" in remarks
    assert "outliers by size" not in remarks, (
        "what is said of the day isn't said product by product"
    )


def test_missing_days_off_are_no_missing_days(tmp_path: Path) -> None:
    """After a closed Sunday a double Monday is an event, not two days in one."""
    rows = scaled(shop(), "2024-03-11", 2.2)
    report, remarks = looked_at(tmp_path, rows[rows["date"].dt.day_of_week != 6])
    (day,) = report.bakeries[0].odd_days
    assert (day.missing_before, day.is_several_in_one) == (0, False)
    assert "A: all products far off the usual on 1 day: 11 Mar 2024 (2." in remarks


def test_half_a_last_day_is_told(tmp_path: Path) -> None:
    """The same share in the middle is a day that is far off; at the end it may not be over."""
    report, remarks = looked_at(tmp_path, scaled(shop(), "2024-05-19", 0.3))
    (day,) = report.bakeries[0].odd_days
    assert day.is_part
    assert f"A: the last day, 19 May 2024, has {day.times_usual:.0%} of the usual" in remarks
    assert "leave it out by `glean data import --until 2024-05-18`" in remarks
    _, remarks = looked_at(tmp_path, scaled(shop(), "2024-04-07", 0.3))
    assert "the last day" not in remarks
    assert "A: all products far off the usual on 1 day: 7 Apr 2024 (0.3 times" in remarks


def test_holidays_are_no_news(tmp_path: Path) -> None:
    """What stands beside a flagged day, or at the year's end, comes again and isn't asked about."""
    rows = scaled(shop(), "2024-04-07", 0.3)
    rows["holiday"] = (rows["date"] == "2024-04-08").astype(int)
    report, remarks = looked_at(tmp_path, rows)
    assert [day.comes_again for day in report.bakeries[0].odd_days] == [True]
    assert "far off" not in remarks


def test_months_without_sales_are_told(tmp_path: Path) -> None:
    """Whole months are counted within a gap, with rows of zero or without."""
    rows = shop(300)
    gone = rows["date"].between("2024-03-20", "2024-06-05")
    report, remarks = looked_at(tmp_path, rows[~gone])
    assert report.bakeries[0].empty_months == (dt.date(2024, 4, 1), dt.date(2024, 5, 1))
    assert "2 whole months are without a sale (April 2024 to May 2024)" in remarks
    _, remarks = looked_at(tmp_path, rows.assign(units=rows["units"].where(~gone, 0.0)))
    assert "2 whole months are without a sale (April 2024 to May 2024)" in remarks


def test_a_wrong_year_makes_no_months(tmp_path: Path) -> None:
    """A day of 1974 among those of 2024 is asked about by itself."""
    rows = shop(300)
    rows.loc[rows["date"] == "2024-03-20", "date"] = pd.Timestamp("1974-03-20")
    report, remarks = looked_at(tmp_path, rows)
    assert report.bakeries[0].empty_months == ()
    assert "20 Mar 1974 stands 50 years before the day after it" in remarks


def test_new_products_are_not_compared(tmp_path: Path) -> None:
    """What sold three times as much as all others on its first day says nothing of these."""
    rows = shop()
    new = rows[(rows["product"] == "Rolls") & (rows["date"] == "2024-03-05")]
    new = new.assign(product="Tart", units=2000.0)
    report, _ = looked_at(tmp_path, pd.concat([scaled(rows, "2024-03-05", 0.3), new]))
    (day,) = report.bakeries[0].odd_days
    assert (day.products, day.times_usual < 0.5) == (4, True)


def test_half_a_christmas_eve_is_whole(tmp_path: Path) -> None:
    """Shops close at noon then: nobody exported too early."""
    rows = scaled(shop(359), "2024-12-24", 0.4)
    assert "the last day" not in looked_at(tmp_path, rows)[1]


def of_products(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """Sales of a shop with the first few products only."""
    return rows[rows["product"].isin(PRODUCTS[:count])]


def without(rows: pd.DataFrame, first: str, last: str) -> pd.DataFrame:
    return rows[~rows["date"].between(first, last)]


@pytest.mark.parametrize(("count", "called"), [(1, "one product"), (2, "both products")])
def test_few_products_tell_several_days_in_one(count: int, called: str, tmp_path: Path) -> None:
    """Where each is an outlier by itself, and three days' sales stand after two without any."""
    rows = without(scaled(shop(), "2024-03-07", 3.0), "2024-03-05", "2024-03-06")
    report, remarks = looked_at(tmp_path, of_products(rows, count))
    (day,) = report.bakeries[0].odd_days
    assert (day.products, day.missing_before, day.is_several_in_one) == (count, 2, True)
    assert f"times the usual of {called}, nothing on the 2 days before" in remarks
    assert "by size" not in remarks


@pytest.mark.parametrize(("count", "called"), [(1, "one product"), (2, "both products")])
def test_few_products_tell_half_a_last_day(count: int, called: str, tmp_path: Path) -> None:
    """But not one that is short by no more than a slow day may be."""
    report, remarks = looked_at(tmp_path, of_products(scaled(shop(), "2024-05-19", 0.2), count))
    assert [day.is_part for day in report.bakeries[0].odd_days] == [True]
    assert f"of the usual of {called}: exported before it was over?" in remarks
    report, _ = looked_at(tmp_path, of_products(scaled(shop(), "2024-05-19", 0.7), count))
    assert report.bakeries[0].odd_days == ()


def test_another_day_far_off_is_an_outlier_of_one_product_and_odd_of_two(tmp_path: Path) -> None:
    """One product's event has nothing that tells it from an order."""
    rows = scaled(shop(), "2024-03-12", 4.0)
    report, remarks = looked_at(tmp_path, of_products(rows, 1))
    assert report.bakeries[0].odd_days == ()
    assert "A: 1 outlier by size: Rolls on 12 Mar 2024" in remarks
    _, remarks = looked_at(tmp_path, of_products(rows, 2))
    assert "A: all products far off the usual on 1 day: 12 Mar 2024" in remarks


def test_one_of_two_products_far_off_makes_no_odd_day(tmp_path: Path) -> None:
    """The other one sold twice the usual, which chance does."""
    rows = shop()
    day = rows["date"] == "2024-03-05"
    rows.loc[day & (rows["product"] == "Cake"), "units"] = 36.0
    rows.loc[day & (rows["product"] == "Bun"), "units"] = 900.0
    report, _ = looked_at(tmp_path, rows[rows["product"].isin(["Cake", "Bun"])])
    assert report.bakeries[0].odd_days == ()


def test_ten_times_the_usual_after_a_closed_day_is_not_two_days_in_one(tmp_path: Path) -> None:
    """Of one product it stays an outlier, of many a day far off."""
    rows = without(scaled(shop(), "2024-03-07", 10.0), "2024-03-06", "2024-03-06")
    _, remarks = looked_at(tmp_path, of_products(rows, 1))
    assert "several days" not in remarks
    assert "A: 1 outlier by size: Rolls on 7 Mar 2024" in remarks
    _, remarks = looked_at(tmp_path, rows)
    assert "several days" not in remarks
    assert "A: all products far off the usual on 1 day: 7 Mar 2024" in remarks


def test_few_products_tell_nothing_beside_a_holiday(tmp_path: Path) -> None:
    """Shops are closed then, and full the day after."""
    rows = without(scaled(shop(), "2024-03-07", 2.0), "2024-03-06", "2024-03-06")
    rows["holiday"] = (rows["date"] == "2024-03-08").astype(int)
    report, remarks = looked_at(tmp_path, of_products(rows, 1))
    assert report.bakeries[0].odd_days == ()
    assert "several days" not in remarks
    assert "which come again" in remarks


@pytest.mark.parametrize("count", [1, 2])
def test_chance_and_closed_days_make_no_odd_day_of_few_products(count: int, tmp_path: Path) -> None:
    """Twenty shops that close now and then, with a last day that is any day."""
    shops = [shop(seed=seed).assign(bakery=f"{seed:02}") for seed in range(20)]
    closed = [np.random.default_rng(seed).choice(140, 15, replace=False) for seed in range(20)]
    first = pd.Timestamp("2024-01-01")
    rows = [
        of_products(rows[~(rows["date"] - first).dt.days.isin(days)], count)
        for rows, days in zip(shops, closed, strict=True)
    ]
    report, _ = looked_at(tmp_path, pd.concat(rows))
    assert len(report.bakeries) == 20
    assert [bakery.odd_days for bakery in report.bakeries] == [()] * 20
