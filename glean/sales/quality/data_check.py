"""The data check: what a file of sales holds, what is wrong with it, what is worth a look."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd

from glean.errors import SalesError
from glean.sales.quality.health import BakeryHealth, Outlier, ProductHealth, Report
from glean.sales.quality.histories import longest_test
from glean.sales.quality.like_names import like_names
from glean.sales.quality.opening_days import Days, days_of, opening_days
from glean.sales.quality.outliers import usual_units
from glean.sales.reading.sales_file import read_draft


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
    rows = draft.rows[draft.rows["date"].notna() & draft.rows["units"].notna()]
    rows = rows.sort_values(["bakery", "product", "date"], kind="stable", ignore_index=True)
    today = today or dt.datetime.now(dt.UTC).astimezone().date()
    return Report(
        source=str(path),
        problems=draft.problems,
        ignored=draft.ignored,
        bakeries=tuple(_bakeries(rows, today)),
        like_bakeries=tuple(like_names(rows["bakery"].unique())),
        like_products=tuple(like_names(rows["product"].unique())),
    )


def _bakeries(rows: pd.DataFrame, today: dt.date) -> list[BakeryHealth]:
    if rows.empty:
        return []
    usual, outliers = usual_units(rows)
    rows = rows.assign(usual=usual, outlier=outliers)
    return [
        _bakery(str(bakery), of_bakery, today=today) for bakery, of_bakery in rows.groupby("bakery")
    ]


def _bakery(bakery: str, rows: pd.DataFrame, *, today: dt.date) -> BakeryHealth:
    days, opening = days_of(rows["date"]), opening_days(rows["date"])
    lone = [day.date for day in opening.lone_days]
    sold = rows.loc[rows["units"] > 0, "date"]
    to_come = set(days.tolist()) - set(lone)
    return BakeryHealth(
        bakery=bakery,
        opening=opening,
        products=_products(rows, among=days),
        days_to_come=sum(day > today for day in to_come),
        selling=opening_days(sold, among=days) if len(sold) else None,
        longest_test=longest_test(rows),
    )


def _products(rows: pd.DataFrame, *, among: Days) -> tuple[ProductHealth, ...]:
    found = [_product(str(name), sold, among=among) for name, sold in rows.groupby("product")]
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
        outliers=_outliers(sold[sold["outlier"]]),
    )


def _outliers(sold: pd.DataFrame) -> tuple[Outlier, ...]:
    found = [
        Outlier(date.date(), float(units), float(usual))
        for date, units, usual in zip(sold["date"], sold["units"], sold["usual"], strict=True)
    ]
    return tuple(sorted(found, key=lambda day: -abs(max(day.units, 0.0) ** 0.5 - day.usual**0.5)))
