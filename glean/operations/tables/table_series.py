"""What a sales table's products sell over time, in a few lines that can be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glean.errors import GleanError

if TYPE_CHECKING:
    import pandas as pd

MOST_PRODUCTS = 7
"""Lines that can be told apart; what else is sold is one more."""

MOST_DAYS = 120
"""Longer tables are drawn by the week."""


@dataclass(frozen=True)
class ProductSeries:
    """What is sold of a product.

    Parameters
    ----------
    product : str
        Its name; "" of all that have no line of their own.
    units : tuple of float or None
        A day, for each step; None where the table has no row.
    """

    product: str
    units: tuple[float | None, ...]


@dataclass(frozen=True)
class TableSeries:
    """What a bakery sells over time, or all of a table together.

    Parameters
    ----------
    bakery : str
        Whose; "" is all together.
    step : str
        "day" or "week".
    days : tuple of str
        ISO dates; of a week its Monday.
    products : tuple of ProductSeries
        What sells most first; units of a week are the mean of its days that have rows.
    """

    bakery: str
    step: str
    days: tuple[str, ...]
    products: tuple[ProductSeries, ...]


def table_series(path: Path, bakery: str = "") -> TableSeries:
    """Add up what is sold, by product and day or week.

    Parameters
    ----------
    path : Path
        A sales table.
    bakery : str
        Of which bakery; "" of all together.

    Raises
    ------
    GleanError
        The table can't be used, or has no such bakery.
    """
    from glean.sales.reading.sales_file import read_sales

    rows = read_sales(path).rows
    if bakery:
        rows = rows[rows["bakery"] == bakery]
        if rows.empty:
            raise GleanError(f"{path.name}: found no bakery {bakery!r}")
    span = (rows["date"].max() - rows["date"].min()).days
    step = "day" if span < MOST_DAYS else "week"
    found = _by_product(rows, step)
    return TableSeries(
        bakery=bakery,
        step=step,
        days=tuple(f"{day:%Y-%m-%d}" for day in found.index),
        products=tuple(ProductSeries(str(name), _values(found[name])) for name in found.columns),
    )


def _by_product(rows: pd.DataFrame, step: str) -> pd.DataFrame:
    """Units a day: a column for each product that sells most, "" for the rest; a row a step."""
    most = rows.groupby("product", observed=True)["units"].sum().nlargest(MOST_PRODUCTS).index
    named = rows["product"].where(rows["product"].isin(most), "")
    daily = rows.assign(product=named).pivot_table(
        index="date", columns="product", values="units", aggfunc="sum", observed=True
    )
    everything = (
        daily.asfreq("D")
        if step == "day"
        else daily.resample("W-MON", label="left", closed="left").mean()
    )
    order = [*(name for name in most if name), *([""] if "" in daily.columns else [])]
    return everything[order]


def _values(column: pd.Series) -> tuple[float | None, ...]:
    return tuple(round(float(v), 2) if v == v else None for v in column)  # NaN
