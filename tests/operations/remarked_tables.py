"""Tables of which something is said, one for each kind of remark on a sales table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial

import pandas as pd

from tests.sales.quality.sales_weeks import sales
from tests.sales.quality.test_odd_days import of_products, scaled, shop, without
from tests.sales.quality.test_region_fit import DAYS, holidays
from tests.sales.quality.test_renamed import changed

TODAY = dt.date(2026, 1, 1)

MakeTable = Callable[[], pd.DataFrame]


def put_together(*parts: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(parts)


def with_units(units: dict[int, float], *, days: int = 140) -> pd.DataFrame:
    rows = sales(days)
    rows.loc[list(units), "units"] = list(units.values())
    return rows


def dated(at: int, day: str, *, days: int = 100) -> pd.DataFrame:
    """Rows of which one has another date."""
    rows = sales(days)
    rows.loc[at, "date"] = pd.Timestamp(day)
    return rows


def closed_from(*spans: tuple[str, str]) -> pd.DataFrame:
    rows = sales(280)
    for first, last in spans:
        rows = without(rows, first, last)
    return rows


def filled_with_zeros() -> pd.DataFrame:
    rows = sales(280)
    zeros = rows["date"].between("2024-04-01", "2024-07-31") | (rows["date"].dt.day_of_week == 6)
    rows.loc[zeros, "units"] = 0.0
    return rows


def differing_products() -> pd.DataFrame:
    """A cake that pauses, a bun that has its days off, and a tart of two days."""
    cake, bun = (sales(280).assign(product=name) for name in ("Cake", "Bun"))
    cake = cake[~cake["date"].between("2024-03-01", "2024-05-09")]
    bun = bun[~bun["date"].dt.day_of_week.isin([0, 1])]
    return put_together(sales(280), cake, bun, sales(2).assign(product="Tart"))


def mostly_off() -> pd.DataFrame:
    """A bun that is sold on no Sunday, and on every third Monday."""
    bun = sales(280).assign(product="Bun")
    week = (bun["date"] - bun["date"].iloc[0]).dt.days // 7
    monday = (bun["date"].dt.day_of_week == 0) & (week % 3 > 0)
    return put_together(sales(280), bun[~monday & (bun["date"].dt.day_of_week != 6)])


def around_a_holiday() -> pd.DataFrame:
    rows = with_units({60: 900.0})
    return rows.assign(holiday=(rows["date"] == "2024-03-02").astype(int))


def flagged(region: str) -> pd.DataFrame:
    rows = sales(DAYS)
    days = [*holidays(region)[1:], pd.Timestamp("2024-07-12")]
    return rows.assign(holiday=rows["date"].isin(days).astype(int))


def closed_on_holidays(region: str) -> pd.DataFrame:
    rows = sales(DAYS)
    return pd.concat([rows[~rows["date"].isin(holidays(region))], rows.assign(bakery="B")])


def two_in_one() -> pd.DataFrame:
    return without(scaled(shop(), "2024-03-07", 3.0), "2024-03-05", "2024-03-06")


def idle(name: str) -> pd.DataFrame:
    return sales(20).assign(product=name, units=0.0)


TABLES: dict[str, MakeTable] = {
    "short": lambda: put_together(sales(), sales(5).assign(bakery="Young")),
    "untrained": lambda: put_together(sales(), sales(30).assign(bakery="Young")),
    "late": partial(dated, 99, "2042-07-19"),
    "early": partial(dated, 0, "2023-06-01"),
    "to come": lambda: sales(735),
    "like bakeries": lambda: put_together(*(sales().assign(bakery=n) for n in ("Nord", "nord"))),
    "like products": lambda: put_together(sales(), sales().assign(product="rols")),
    "renamed": changed,
    "part of a day": lambda: scaled(shop(), "2024-05-19", 0.3),
    "several in one": two_in_one,
    "several in one product": lambda: of_products(two_in_one(), 1),
    "odd day": lambda: scaled(shop(), "2024-03-11", 2.2),
    "odd days of two": lambda: of_products(
        scaled(scaled(shop(), "2024-03-12", 4.0), "2024-04-16", 5.0), 2
    ),
    "never sold": lambda: put_together(sales(20), *(idle(f"Tart {n}") for n in range(5))),
    "nothing sold": lambda: put_together(sales(20), idle("Rolls").assign(bakery="B")),
    "return": partial(with_units, {3: -4.0}),
    "returns": partial(with_units, {3: -4.0, 9: -1.0}),
    "gap": partial(closed_from, ("2024-03-21", "2024-03-30")),
    "gaps": partial(closed_from, ("2024-03-01", "2024-06-30"), ("2024-08-05", "2024-08-11")),
    "zeros": filled_with_zeros,
    "products": differing_products,
    "mostly off": mostly_off,
    "sold out": lambda: sales().assign(sold_out_at=["15:00"] * 35 + [""] * 105, note="x"),
    "outlier": partial(with_units, {60: 900.0}),
    "outliers": partial(with_units, {40: 900.0, 60: 600.0, 80: 0.0, 90: 1.0, 100: 800.0}),
    "low outliers": partial(with_units, {80: 0.0, 90: 1.0}),
    "outlier that comes again": around_a_holiday,
    "outlier besides": lambda: around_a_holiday().assign(
        units=lambda rows: rows["units"].where(rows.index != 90, 700.0)
    ),
    "flagged": partial(flagged, "GB-SCT"),
    "closed": partial(closed_on_holidays, "DE-BY"),
    "many": lambda: put_together(sales(), *(sales(5).assign(bakery=f"B{n}") for n in range(7))),
}
"""By what is said of them."""
