"""Till lines (one line an item) become days: what was sold of each product on each day."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.sales.reading.sheet import Sheet, texts_of
from glean.sales.table import FLAGS, KEYS

Days = NDArray[np.datetime64]

ONE = "(one)"
"""Column of ones, for tills that write a line for each item sold."""

MAJORITY = 0.5
"""A day has a flag if more than this share of its units has."""

LONGEST_GAP_DAYS = 28
"""A product without a sale for longer wasn't on offer, so those days aren't zeros."""


def with_ones(sheet: Sheet) -> Sheet:
    """Give each till line the quantity 1."""
    cells = sheet.cells | {ONE: texts_of(["1"] * len(sheet))}
    return replace(sheet, cells=cells)


def without_items(sheet: Sheet, column: str, ignored: Collection[str]) -> tuple[Sheet, int]:
    """Leave out lines of items that aren't products, and count them."""
    kept = np.array([text not in ignored for text in sheet.cells[column]], dtype=bool)
    return sheet.rows(kept), int((~kept).sum())


def sum_to_days(frame: pd.DataFrame) -> pd.DataFrame:
    """Sum the units of each day, bakery and product; other columns keep their first value.

    What is to go by all lines of the day is brought into its first by `with_day_values` before.

    Parameters
    ----------
    frame : DataFrame
        Typed rows; the index is kept from the first line of each day.
    """
    keys = [key for key in KEYS if key in frame]
    sums = frame["units"].groupby([frame[key] for key in keys]).transform("sum")
    return frame.assign(units=sums)[~frame.duplicated(keys)]


def with_day_values(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Give all lines of a day, bakery and product the same price and flags, by the units sold.

    The price is the mean weighted by units, a flag is what most units have. Returns don't count.

    Parameters
    ----------
    frame : DataFrame
        Typed rows.

    Returns
    -------
    DataFrame
        The rows.
    tuple of str
        Columns in which lines of a day differed.
    """
    keys = [frame[key] for key in KEYS if key in frame]
    differing: list[str] = []
    for name in (column for column in ("price", *FLAGS) if column in frame):
        values = frame[name].groupby(keys)
        differs = values.transform("nunique") > 1
        differing += [name] if differs.any() else []
        differs |= frame[name].isna()
        weight = frame["units"].clip(lower=0.0).where(frame[name].notna(), 0.0)
        of_day = weight.groupby(keys).transform("sum")
        mean = (weight * frame[name].fillna(0.0)).groupby(keys).transform("sum") / of_day
        by_units = mean.round(4) if name == "price" else (mean > MAJORITY).astype(float)
        frame = frame.assign(**{name: frame[name].where(~(differs & (of_day > 0)), by_units)})
    return frame, tuple(differing)


def with_zero_days(frame: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Add rows of 0 units for days on which the bakery was open but a product wasn't sold.

    A till has no line for what nobody bought, while a missing day of a sales table is a closed
    day. A bakery was open when it sold anything. Only gaps of up to `LONGEST_GAP_DAYS` between
    two sales of a product are filled.

    Parameters
    ----------
    frame : DataFrame
        `date`, `bakery`, `product`, `units`, each day once.

    Returns
    -------
    DataFrame
        The rows, then the added ones. These have the flags of the day; what else there is stays
        empty.
    int
        Rows added.
    """
    added = []
    for bakery, rows in frame.groupby("bakery"):
        open_days = np.sort(rows["date"].unique())
        for product, sold in rows.groupby("product")["date"]:
            days = _unsold(open_days, np.sort(sold.to_numpy()))
            added.append(pd.DataFrame({"date": days, "bakery": bakery, "product": product}))
    zeros = pd.concat(added).assign(units=0.0)
    filled = pd.concat([frame, zeros], ignore_index=True)
    for flag in (name for name in FLAGS if name in frame):
        of_day = filled[flag].groupby([filled["bakery"], filled["date"]]).transform("max")
        filled[flag] = filled[flag].fillna(of_day)
    if "sold_out_at" in frame:
        filled["sold_out_at"] = filled["sold_out_at"].fillna("")
    return filled, len(zeros)


def _unsold(open_days: Days, sold: Days) -> Days:
    """Open days that lie in a short gap between two sales."""
    after = np.searchsorted(sold, open_days)
    inside = (after > 0) & (after < len(sold))
    following = sold[np.minimum(after, len(sold) - 1)]
    gaps = following - sold[np.maximum(after - 1, 0)]
    short = gaps <= np.timedelta64(LONGEST_GAP_DAYS, "D")
    unsold: Days = open_days[inside & short & (following != open_days)]
    return unsold
