"""Products that look renamed: one ends where another begins, and sells as the first did."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.sales.quality.like_names import like_names

Floats = NDArray[np.float64]

FEWEST_DAYS = 28
"""Days with a sale that a product needs to be compared."""

COMPARED_DAYS = 56
"""Calendar days before the end and after the beginning whose sales are compared."""

EDGE_DAYS = 28
"""A product ends, or begins, only if the bakery still sold, or already did, for so many days."""

MOST_APART = 14
"""Days between the last sale of the one and the first of the other, and ..."""

MOST_OVERLAP = 7
"""... days for which both may sell, as the last pieces of the old name go."""

MOST_TIMES = 1.35
"""Levels are alike if neither is more than so many times the other; of near names `NEAR_TIMES`."""

NEAR_TIMES = 2.0

MOST_DIFFERENCE = 0.08
"""Weeks are alike if so little of the sales stands on other weekdays; of near names `NEAR`."""

NEAR_DIFFERENCE = 0.2


@dataclass(frozen=True)
class Renamed:
    """Two products of one bakery that may be one.

    Parameters
    ----------
    before, after : str
        The name that ends and the one that begins.
    ended, began : date
        Last and first day with a sale.
    units_before, units_after : float
        What a day with a sale sold, around the change.
    """

    before: str
    after: str
    ended: dt.date
    began: dt.date
    units_before: float
    units_after: float


def renamed_products(rows: pd.DataFrame) -> dict[str, tuple[Renamed, ...]]:
    """Find products that look renamed, by bakery.

    Parameters
    ----------
    rows : DataFrame
        n rows with `date`, `bakery`, `product`, `units`.

    Returns
    -------
    dict of str to tuple of Renamed
        Bakery -> its pairs, in the order in which they ended; bakeries without one aren't there.
    """
    sold = rows.loc[rows["units"] > 0, ["date", "bakery", "product", "units"]]
    spans = sold.groupby(["bakery", "product"], observed=True)["date"].agg(["min", "max", "count"])
    of_bakery = spans.groupby("bakery")
    edge = pd.Timedelta(days=EDGE_DAYS)
    long = spans["count"] >= FEWEST_DAYS
    ends = spans[long & (of_bakery["max"].transform("max") - spans["max"] >= edge)].reset_index()
    begins = spans[long & (spans["min"] - of_bakery["min"].transform("min") >= edge)].reset_index()
    pairs = ends.merge(begins, on="bakery", suffixes=("_before", "_after"))
    apart = (pairs["min_after"] - pairs["max_before"]).dt.days
    pairs = pairs[(apart > -MOST_OVERLAP) & (apart <= MOST_APART)]
    found: dict[str, list[tuple[float, Renamed]]] = {}
    of_product = dict(iter(sold.groupby(["bakery", "product"]))) if len(pairs) else {}
    for pair in pairs.to_dict("records"):
        bakery, before, after = (pair[key] for key in ("bakery", "product_before", "product_after"))
        sales = (of_product[bakery, before], of_product[bakery, after])
        if alike := _alike(before, after, *sales):
            found.setdefault(bakery, []).append(alike)
    return {bakery: _each_once(alike) for bakery, alike in found.items()}


def _alike(
    before: str, after: str, old: pd.DataFrame, new: pd.DataFrame
) -> tuple[float, Renamed] | None:
    """Compare the end of a product with the beginning of another; with how far they differ."""
    window = pd.Timedelta(days=COMPARED_DAYS)
    ended, began = old["date"].max(), new["date"].min()
    old, new = old[old["date"] > ended - window], new[new["date"] < began + window]
    levels = old["units"].mean(), new["units"].mean()
    times = max(levels) / min(levels)
    difference = float(np.abs(_week(old) - _week(new)).sum() / 2)
    near = bool(like_names([before, after]))
    if times > (NEAR_TIMES if near else MOST_TIMES):
        return None
    if difference > (NEAR_DIFFERENCE if near else MOST_DIFFERENCE):
        return None
    found = Renamed(before, after, ended.date(), began.date(), *map(float, levels))
    return float(np.log(times)) + difference - near, found


def _week(sold: pd.DataFrame) -> Floats:
    """Share of the units on each weekday."""
    units = np.bincount(sold["date"].dt.day_of_week, weights=sold["units"], minlength=7)
    return np.asarray(units / units.sum(), dtype=np.float64)


def _each_once(alike: list[tuple[float, Renamed]]) -> tuple[Renamed, ...]:
    """Keep the most alike pairs in which no name stands twice on the same side."""
    kept: list[Renamed] = []
    for _, pair in sorted(alike, key=lambda at: at[0]):
        if all(pair.before != other.before and pair.after != other.after for other in kept):
            kept.append(pair)
    return tuple(sorted(kept, key=lambda pair: pair.ended))
