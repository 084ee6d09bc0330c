"""The sales table: one row a day, bakery and product, checked once and then trusted."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from glean.metric_sums import ALL_CLIENTS

KEYS = ("date", "bakery", "product")
"""Columns that name a row; no two rows agree in all of them."""

FLAGS = ("promotion", "holiday", "school_holiday")
"""Columns that are 0 or 1."""

FORMAT = (
    *KEYS,
    "units",
    "price",
    *FLAGS,
    "temperature_c",
    "rain_mm",
    "sold_out_at",
)
"""Columns with a meaning of their own, in the order in which files have them."""

ONE_PRODUCT = "all"
"""The product of a table without a product column."""

ALL_BAKERIES = ALL_CLIENTS
"""Stands for all bakeries in the files of a run, so no bakery may be called that."""


@dataclass(frozen=True, eq=False)
class SalesTable:
    """Checked sales of one or more bakeries; a table is only ever equal to itself.

    Parameters
    ----------
    rows : DataFrame
        Sorted by bakery, product, date, with a fresh RangeIndex. Columns: `date`
        (datetime64, midnight), `bakery` (str), `product` (str), `units` (float64, >= 0; money
        where the run says so); where given `price`, `temperature_c`, `rain_mm` (float64, NaN),
        `promotion`, `holiday`, `school_holiday` (float64, 0 or 1), `sold_out_at` (str, "" where not
        sold out) and further numeric columns (float64). A missing day is a closed day.

    Examples
    --------
    >>> day = {"date": pd.Timestamp("2024-05-02"), "product": "Rolls", "units": 40.0}
    >>> table = SalesTable(pd.DataFrame([day | {"bakery": "North"}, day | {"bakery": "South"}]))
    >>> table.bakeries
    ('North', 'South')
    """

    rows: pd.DataFrame

    @property
    def bakeries(self) -> tuple[str, ...]:
        """Names of the bakeries, in text order."""
        return tuple(sorted(self.rows["bakery"].unique()))

    def of(self, bakery: str) -> SalesTable:
        """Only the rows of one bakery."""
        return SalesTable(self.rows[self.rows["bakery"] == bakery].reset_index(drop=True))
