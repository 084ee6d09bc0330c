"""The data check: what a file of sales holds, what is wrong with it, what is worth a look."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.errors import SalesError
from glean.sales.outlier_days import usual_of_outliers
from glean.sales.quality.health import BakeryHealth, Outlier, ProductHealth, Report
from glean.sales.quality.histories import longest_test
from glean.sales.quality.like_names import like_names
from glean.sales.quality.odd_days import comes_again, odd_days
from glean.sales.quality.opening_days import Days, days_of, opening_days
from glean.sales.quality.outliers import usual_units
from glean.sales.quality.region_fit import fitting_regions
from glean.sales.quality.renamed import renamed_products
from glean.sales.reading.sales_file import read_draft

LOOKED_AT = ("date", "bakery", "product", "units", "holiday", "sold_out_at")


def examine(path: Path, *, today: dt.date | None = None) -> Report:
    """Look a file over; what can't be read is among the problems of the report.

    Parameters
    ----------
    path : Path
        The file.
    today : date, optional
        Later days can't have been sold yet; by default the day it is.
    """
    try:
        draft = read_draft(path)
    except SalesError as error:
        return Report(str(path), error.problems)
    if not {"date", "units"} <= set(draft.rows):
        return Report(str(path), draft.problems, draft.ignored)
    rows = draft.rows[[name for name in LOOKED_AT if name in draft.rows]]
    rows = rows[rows["date"].notna() & rows["units"].notna()]
    rows = rows.sort_values(["bakery", "product", "date"], kind="stable", ignore_index=True)
    today = today or dt.datetime.now(dt.UTC).astimezone().date()
    bakeries = _bakeries(rows, today)
    closed = {bakery.bakery: bakery.single_closed for bakery in bakeries}
    return Report(
        source=str(path),
        problems=draft.problems,
        ignored=draft.ignored,
        bakeries=tuple(bakeries),
        like_bakeries=tuple(like_names(rows["bakery"].unique())),
        like_products=tuple(like_names(rows["product"].unique())),
        regions=fitting_regions(rows, closed) if bakeries else (),
    )


def _bakeries(rows: pd.DataFrame, today: dt.date) -> list[BakeryHealth]:
    if rows.empty:
        return []
    usual, outliers = usual_units(rows)
    rows = rows.assign(usual=usual, outlier=outliers)
    rows = rows.assign(left_out=_left_out(rows), comes_again=comes_again(rows))
    grouped = rows.astype({"product": "category"}).groupby("bakery")
    within = [name for name in rows if name not in ("bakery", "holiday")]
    found = [_bakery(str(bakery), of_bakery, today=today) for bakery, of_bakery in grouped[within]]
    odd = odd_days(rows, {bakery.bakery: bakery.weekdays_off for bakery in found})
    renamed = renamed_products(rows)
    return [
        replace(
            bakery,
            odd_days=odd.get(bakery.bakery, ()),
            renamed=renamed.get(bakery.bakery, ()),
        )
        for bakery in found
    ]


def _left_out(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Mark rows that no forecast learns from, of products that have a large outlier."""
    series = rows.groupby(["bakery", "product"], sort=False).ngroup().to_numpy()
    with_large = np.unique(series[rows["outlier"] & (rows["units"] > rows["usual"])])
    looked_at = np.isin(series, with_large)
    found = np.zeros(len(rows), dtype=bool)
    found[looked_at] = ~np.isnan(usual_of_outliers(rows[looked_at]))
    return found


def _bakery(bakery: str, rows: pd.DataFrame, *, today: dt.date) -> BakeryHealth:
    days, opening = days_of(rows["date"]), opening_days(rows["date"])
    lone = np.array([day.date for day in opening.lone_days], dtype="datetime64[D]")
    sold = rows["date"][rows["units"] > 0]
    to_come = days[days > np.datetime64(today)]
    return BakeryHealth(
        bakery=bakery,
        opening=opening,
        products=_products(rows, among=days),
        days_to_come=len(np.setdiff1d(to_come, lone)),
        selling=opening_days(sold, among=days) if len(sold) else None,
        longest_test=longest_test(rows),
        empty_months=_empty_months(np.setdiff1d(days_of(sold), lone)),
    )


def _empty_months(sold: Days) -> tuple[dt.date, ...]:
    """First days of the whole months between the first and the last sale that have none."""
    months = np.unique(sold.astype("datetime64[M]"))
    if not len(months):
        return ()
    every = np.arange(months[0], months[-1])
    return tuple(np.setdiff1d(every, months).astype("datetime64[D]").tolist())


def _products(rows: pd.DataFrame, *, among: Days) -> tuple[ProductHealth, ...]:
    by_name = rows.groupby("product", observed=True)
    found = [_product(str(name), sold, among=among) for name, sold in by_name]
    return tuple(sorted(found, key=lambda at: -at.mean_units * at.opening.trading_days))


def _product(product: str, sold: pd.DataFrame, *, among: Days) -> ProductHealth:
    units = sold["units"].to_numpy()
    sold_out = (sold["sold_out_at"] != "").mean() if "sold_out_at" in sold else np.nan
    return ProductHealth(
        product=product,
        opening=opening_days(sold["date"], among=among),
        mean_units=float(units.mean()),
        returns=int((units < 0).sum()),
        sold_out_share=float(sold_out),
        never_sold=not (units > 0).any(),
        outliers=_outliers(sold),
    )


def _outliers(sold: pd.DataFrame) -> tuple[Outlier, ...]:
    if not sold["outlier"].any():
        return ()
    found = [
        Outlier(
            date=day["date"].date(),
            units=float(day["units"]),
            usual=float(day["usual"]),
            left_out=bool(day["left_out"]),
            comes_again=bool(day["comes_again"]),
        )
        for day in sold[sold["outlier"]].to_dict("records")
    ]
    return tuple(sorted(found, key=lambda day: -abs(max(day.units, 0.0) ** 0.5 - day.usual**0.5)))
