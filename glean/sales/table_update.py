"""A sales table grows by newer days: what is there stays, unless a newer number is known of it."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from glean.sales.reading.day_rows import table_of
from glean.sales.table import FLAGS, KEYS, SalesTable


@dataclass(frozen=True, eq=False)
class UpdatedTable:
    """What became of a table.

    Parameters
    ----------
    table : SalesTable
        All rows that were there, and all new ones.
    added, changed : int
        Rows that weren't there, and rows with other units than there were.
    """

    table: SalesTable
    added: int
    changed: int


def updated_table(old: SalesTable, new: SalesTable) -> UpdatedTable:
    """Put newer rows into a table.

    A row that both have takes the newer one's values where it has any, so that a price or the time
    at which a product sold out isn't lost to an export that knows none.

    Parameters
    ----------
    old, new : SalesTable
        The table, and the rows to put in.
    """
    before, after = (_indexed(table) for table in (old, new))
    shared = before.index.intersection(after.index)
    merged = after.combine_first(before).reset_index()
    fills = {"sold_out_at": ""} | dict.fromkeys(FLAGS, 0.0)
    merged = merged.fillna({name: fill for name, fill in fills.items() if name in merged})
    changed = (before.loc[shared, "units"] != after.loc[shared, "units"]).sum()
    assert len(merged) == len(before) + len(after) - len(shared), "no row is lost"
    return UpdatedTable(table_of(merged), len(after) - len(shared), int(changed))


def _indexed(table: SalesTable) -> pd.DataFrame:
    rows = table.rows
    if "sold_out_at" in rows:
        rows = rows.assign(sold_out_at=rows["sold_out_at"].where(rows["sold_out_at"] != ""))
    return rows.set_index(list(KEYS))
