"""A bakery's table grows: by a till's export, or by what was entered after closing.

The file is replaced as a whole and a copy of the old one is kept; what can't be read changes
nothing. Plain values in and out, for whoever asks from another process and does without pandas.
"""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glean.errors import GleanError, SettingsError
from glean.languages.catalogues import translatable
from glean.languages.sentences import Sentence
from glean.runs.folder import write_whole

if TYPE_CHECKING:
    from glean.sales.table import SalesTable

MOST_COPIES = 10
"""Copies of the table that are kept; the oldest go."""

SOLD_DAYS = 35
"""Last days of which it is told what was sold."""


@dataclass(frozen=True)
class BakeryTable:
    """Whose table it is.

    Parameters
    ----------
    sales : Path
        The table.
    bakery : str
        The bakery; "" where the table holds one.
    copies : Path
        Folder in which copies of it are kept.
    """

    sales: Path
    bakery: str
    copies: Path


@dataclass(frozen=True)
class GrownTable:
    """What an export or an evening brought.

    Parameters
    ----------
    added, changed : int
        Rows that are new, and rows with other units than before.
    first_day, last_day : date
        Days of these rows.
    new_products : tuple of str
        Products that the table didn't have.
    told : tuple of (str, str)
        How the export was read: a label and a sentence each, in English.
    """

    added: int
    changed: int
    first_day: dt.date
    last_day: dt.date
    new_products: tuple[str, ...] = ()
    told: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ClosedDay:
    """What was entered after closing.

    Parameters
    ----------
    day : date
        The day.
    sold : mapping of str to float
        Units sold by product, of which the table has none; those that it has stay.
    sold_out_at : mapping of str to str
        Time of the last unit by product, like "15:30"; "" where it didn't sell out.
    """

    day: dt.date
    sold: Mapping[str, float] = field(default_factory=dict)
    sold_out_at: Mapping[str, str] = field(default_factory=dict)


def grow_by_export(table: BakeryTable, export: Path, layout: Path) -> GrownTable:
    """Put an export into a bakery's table.

    Parameters
    ----------
    table : BakeryTable
        The table.
    export : Path
        What the till or spreadsheet wrote, in any layout.
    layout : Path
        File in which its layout is remembered; an export of another one is looked at anew.

    Raises
    ------
    GleanError
        The export can't be read, or is another bakery's; or the table can't be written.
    """
    from glean.operations.output_files import write_outputs
    from glean.operations.tables.import_sales import read_export
    from glean.sales.importing.request import ImportRequest

    old = _read_whole(table.sales)
    name = _name_of(old, table)
    request = ImportRequest(export, bakery_name=name)
    # Where the table would go; nothing is written there.
    out = table.copies / "import.csv"
    try:
        report = read_export(request, out, force=True, layout=layout)
    except GleanError:
        if not layout.exists():
            raise
        report = read_export(request, out, force=True)
    grown = _grow(table, old, _of_bakery(report.table, name), report.notes)
    if report.new_layout:
        write_outputs({layout: report.new_layout})
    return grown


def grow_by_day(table: BakeryTable, closed: ClosedDay) -> GrownTable:
    """Put what was entered after closing into a bakery's table.

    Raises
    ------
    GleanError
        There is nothing to put in, or the table can't be written.
    """
    import pandas as pd

    from glean.sales.table import SalesTable

    old = _read_whole(table.sales)
    name, day = _name_of(old, table), pd.Timestamp(closed.day)
    of_day = old.rows[(old.rows["bakery"] == name) & (old.rows["date"] == day)]
    units = dict(closed.sold) | dict(zip(of_day["product"], of_day["units"], strict=True))
    rows = [
        {
            "date": day,
            "bakery": name,
            "product": product,
            "units": float(sold),
            "sold_out_at": closed.sold_out_at.get(product, ""),
        }
        for product, sold in units.items()
        if product in closed.sold or product in closed.sold_out_at
    ]
    if not rows:
        raise GleanError(f"found no product of {closed.day} that the table has; wanted its sales")
    return _grow(table, old, SalesTable(pd.DataFrame(rows)))


def sold_of_late(table: BakeryTable) -> dict[str, dict[str, float]]:
    """Tell what was sold on the last days: ISO date -> product -> units."""
    import pandas as pd

    from glean.operations.planning.bakery_context import read_bakery

    rows = read_bakery(table.sales, table.bakery).rows
    late = rows[rows["date"] > rows["date"].max() - pd.Timedelta(days=SOLD_DAYS)]
    return {
        f"{day:%Y-%m-%d}": dict(zip(group["product"], group["units"].tolist(), strict=True))
        for day, group in late.groupby("date")
    }


def _grow(
    table: BakeryTable, old: SalesTable, new: SalesTable, told: tuple[Any, ...] = ()
) -> GrownTable:
    from glean.sales.table_update import updated_table
    from glean.sales.writing import check_target, write_sales

    check_target(table.sales, force=True)
    known = set(old.rows.loc[old.rows["bakery"].isin(new.bakeries), "product"])
    updated = updated_table(old, new)
    _keep_copy(table)
    write_sales(updated.table, table.sales, force=True)
    days = new.rows["date"]
    return GrownTable(
        added=updated.added,
        changed=updated.changed,
        first_day=days.min().date(),
        last_day=days.max().date(),
        new_products=tuple(sorted(set(new.rows["product"]) - known)),
        told=tuple((str(label), str(text)) for label, text in told),
    )


def _read_whole(path: Path) -> SalesTable:
    """Read a table that is to be replaced: one of which something would be lost is refused."""
    from glean.sales.reading.sales_file import read_draft, read_sales

    table = read_sales(path)
    ignored = read_draft(path).ignored
    if ignored:
        wanted = translatable(
            "{file} has further columns of text ({columns}), which would be lost; wanted a table "
            "without them: `glean data import` writes one"
        )
        raise GleanError(Sentence(wanted, file=path.name, columns=", ".join(ignored)))
    return table


def _name_of(old: SalesTable, table: BakeryTable) -> str:
    if table.bakery in old.bakeries:
        return table.bakery
    if table.bakery or len(old.bakeries) != 1:
        raise SettingsError(
            f"found {', '.join(old.bakeries)} in {table.sales.name}; wanted one bakery, or its name"
        )
    return old.bakeries[0]


def _of_bakery(found: SalesTable, name: str) -> SalesTable:
    """Take this bakery's rows of an export; of one bakery only, whatever the till calls it."""
    from glean.sales.table import SalesTable

    if name in found.bakeries:
        return found.of(name)
    if len(found.bakeries) > 1:
        wanted = translatable("the export has {bakeries}; wanted {name} among them, or one bakery")
        raise GleanError(Sentence(wanted, bakeries=", ".join(found.bakeries), name=name))
    return SalesTable(found.rows.assign(bakery=name))


def _keep_copy(table: BakeryTable) -> None:
    table.copies.mkdir(parents=True, exist_ok=True)
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S%f")
    content = table.sales.read_bytes()
    packed = content if table.sales.suffix in (".gz", ".parquet") else gzip.compress(content)
    ending = "" if table.sales.suffix in (".gz", ".parquet") else ".gz"
    write_whole(table.copies / f"{stamp}-{table.sales.name}{ending}", packed)
    for old in sorted(table.copies.glob(f"*-{table.sales.name}{ending}"))[:-MOST_COPIES]:
        old.unlink(missing_ok=True)
