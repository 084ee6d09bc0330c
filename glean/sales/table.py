"""The sales table: one row a day, bakery and product, checked once and then trusted."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class SalesTable:
    """Checked sales of one or more bakeries.

    Parameters
    ----------
    rows : DataFrame
        Sorted by bakery, product, date, with a fresh RangeIndex. Columns: `date`
        (datetime64, midnight), `bakery` (str), `product` (str), `units` (float64, >= 0; money
        where the run says so); where given `price`, `temperature_c`, `rain_mm` (float64, NaN),
        `promotion`, `holiday`, `school_holiday` (float64, 0 or 1), `sold_out_at` (str, "" where not
        sold out) and further numeric columns (float64). A missing day is a closed day.
    """

    rows: pd.DataFrame

    @property
    def bakeries(self) -> tuple[str, ...]:
        """Names of the bakeries, in text order."""
        return tuple(sorted(self.rows["bakery"].unique()))

    def of(self, bakery: str) -> SalesTable:
        """Only the rows of one bakery."""
        return SalesTable(self.rows[self.rows["bakery"] == bakery].reset_index(drop=True))
