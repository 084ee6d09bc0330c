"""Which bakery a node plays, and where its sales come from.

A node reads its own table (node config `sales`), its share of the run's table (run config
`sales`), or makes its synthetic bakery. The synthetic ones are made and not read, since Flower's
app bundle carries no CSV: so they are there from a checkout, a wheel and a bundle alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.errors import SettingsError
from glean.node_settings import NodeSettings
from glean.sales.reading.sales_file import read_sales
from glean.sales.synthetic.bakeries import synthetic_bakery
from glean.sales.table import SalesTable
from glean.settings import TableSettings

CELL_BYTES = 12
"""About what a cell takes: eight where it is a number, more where it is a name."""


@dataclass(frozen=True)
class BakerySales:
    """One bakery's sales and what is known of the place.

    Parameters
    ----------
    name : str
        Name in the federation.
    table : SalesTable
        Its rows only.
    region : str
        Region of its public holidays, "" if not known.
    expected : float64 array of shape (rows,) or None
        True expected demand of each row of the table; only synthetic bakeries have it.
    own_table : bool
        Whether the node reads a table of its own.
    """

    name: str
    table: SalesTable
    region: str
    expected: NDArray[np.float64] | None
    own_table: bool

    @property
    def nbytes(self) -> int:
        """Bytes in memory, about, as pandas takes long to count."""
        return self.table.rows.size * CELL_BYTES

    def since(self, start: pd.Timestamp, *, days: int) -> BakerySales:
        """Forget all rows more than `days` days before `start` (to play a newcomer).

        A bakery that closed before that keeps its last day: a table is never empty.
        """
        dates = self.table.rows["date"]
        kept = (dates >= min(start - pd.Timedelta(days=days), dates.max())).to_numpy()
        return replace(
            self,
            table=SalesTable(self.table.rows[kept].reset_index(drop=True)),
            expected=None if self.expected is None else self.expected[kept],
        )


def bakery_of_node(node: NodeSettings, table: TableSettings) -> BakerySales | None:
    """Find the sales of the bakery that a node plays.

    Returns
    -------
    BakerySales or None
        None for a node of a simulation that has more nodes than the table has bakeries.

    Raises
    ------
    SettingsError
        The node's table holds several bakeries and the node isn't told which is its own.
    SalesError
        The table can't be read.
    """
    if node.sales:
        return _own_bakery(node, table)
    if not table.sales:
        made = synthetic_bakery(node.partition, scenario=table.scenario)
        return BakerySales(made.name, made.table, made.region, made.expected, own_table=False)
    whole = _read(table.sales)
    names = whole.bakeries
    if node.partition >= len(names):
        return None
    name = names[node.partition]
    return BakerySales(name, whole.of(name), table.holiday_region, None, own_table=False)


def bakeries_of_run(table: TableSettings, count: int) -> list[BakerySales]:
    """All bakeries of a simulation with `count` nodes, as the nodes see them."""
    nodes = (NodeSettings(partition=index) for index in range(count))
    found = (bakery_of_node(node, table) for node in nodes)
    return [bakery for bakery in found if bakery is not None]


def _own_bakery(node: NodeSettings, table: TableSettings) -> BakerySales:
    whole = _read(node.sales)
    names = whole.bakeries
    if node.bakery in names:
        mine = whole.of(node.bakery)
    elif len(names) == 1:
        mine = whole
    else:
        listed = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise SettingsError(
            f"{node.sales} holds {len(names)} bakeries ({listed}); say which is this one with the "
            f"node config bakery='NAME' (found {node.bakery!r})"
        )
    return BakerySales(node.bakery or names[0], mine, table.holiday_region, None, own_table=True)


def _read(path: str) -> SalesTable:
    file = Path(path)
    stamp = file.stat().st_mtime_ns if file.exists() else 0
    return _read_once(path, stamp)


@lru_cache(maxsize=1)
def _read_once(path: str, _stamp: int) -> SalesTable:
    """Keep the last table that was read: a process of a simulation plays many of its bakeries."""
    return read_sales(Path(path))
