"""The context of one bakery's forecast, out of its model, its sales and its product list."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from glean.errors import SettingsError
from glean.forecasting.context import (
    EVERY_DAY,
    ForecastContext,
    read_context,
    with_client_model,
)
from glean.privacy.model_key import ModelKey
from glean.regular_files import absolute_path
from glean.sales.products import Product
from glean.sales.reading.sales_file import read_sales
from glean.sales.table import KEYS, SalesTable

MOST_NAMED = 10
"""Bakeries that a message lists."""

NO_NAME = "bakery"
"""Name of a bakery that has neither sales nor a name."""


def no_sales() -> SalesTable:
    """Make the table of a bakery without sales yet."""
    empty = pd.DataFrame({"date": pd.Series([], dtype="datetime64[ns]")})
    return SalesTable(empty.assign(bakery="", product="", units=0.0)[[*KEYS, "units"]])


def read_bakery(path: Path, bakery: str = "") -> SalesTable:
    """Read one bakery's sales.

    Parameters
    ----------
    path : Path
        A sales table.
    bakery : str
        Which bakery of it; "" where it holds one.

    Raises
    ------
    GleanError
        The table can't be read, or it isn't clear whose sales are meant.
    """
    table = read_sales(path)
    if bakery in table.bakeries:
        return table.of(bakery)
    if bakery or len(table.bakeries) > 1:
        more = len(table.bakeries) - MOST_NAMED
        listed = ", ".join(table.bakeries[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        found = repr(bakery) if bakery else "no name"
        raise SettingsError(f"--bakery: found {found}; wanted a bakery of {path}: {listed}")
    return table


def make_context(
    model: Path,
    sales: SalesTable,
    *,
    products: Mapping[str, Product],
    bakery: str = "",
    region: str = "",
    first_day: pd.Timestamp | None = None,
    open_weekdays: tuple[int, ...] = EVERY_DAY,
    model_key: Path | None = None,
) -> ForecastContext:
    """Make what a bakery's forecasts and plans start from.

    Outside a home this trains the bakery's own model on its sales, which takes seconds.

    Parameters
    ----------
    model : Path
        Run folder, a bakery's home, or a model file.
    sales : SalesTable
        One bakery's sales; without rows (`no_sales`) where it has none yet.
    products : mapping of str to Product
        Its product list; may be empty where it has sales.
    bakery : str
        Its name; "" takes that of the sales.
    region : str
        Region of the public holidays, like "DE-SH"; "" takes the run's.
    first_day : Timestamp, optional
        First day to forecast, where there are no sales to tell it.
    open_weekdays : tuple of int
        Weekdays on which a bakery without sales is open, 0 is Monday.
    model_key : Path, optional
        Public key that the model must be signed by; by default one that lies beside it, if any.

    Raises
    ------
    GleanError
        There is no model, it isn't signed as it must be, or it can't be read; or nothing says how
        much is sold.
    """
    today = None
    if first_day is not None and sales.rows.empty:
        today = first_day - pd.Timedelta(days=1)
    context = read_context(
        absolute_path(model),
        sales,
        bakery=bakery or next(iter(sales.bakeries), NO_NAME),
        products=products,
        region=region,
        today=today,
        open_weekdays=open_weekdays,
        model_key=None if model_key is None else ModelKey.read(model_key),
    )
    return with_client_model(context)
