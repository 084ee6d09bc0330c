"""An export of a till or spreadsheet becomes a sales table, with a report, and goes to disk."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from glean.errors import SettingsError
from glean.operations.output_files import check_outputs, write_outputs
from glean.regular_files import absolute_path
from glean.sales.importing.exports import Note
from glean.sales.importing.import_sales import import_sales
from glean.sales.importing.layout_file import read_layout, with_layout
from glean.sales.importing.request import ImportRequest
from glean.sales.quality.histories import ShortHistory, short_histories
from glean.sales.table import SalesTable
from glean.sales.writing import check_target, write_sales


@dataclass(frozen=True, eq=False)
class ImportReport:
    """What an import is going to write.

    Parameters
    ----------
    out : Path
        The file that it goes into.
    table : SalesTable
        What goes there.
    notes : tuple of (str, str)
        How the file was read and what was dropped: a label and a sentence each.
    first_day, last_day : date
        Its span.
    products : tuple of str
        In text order.
    short : tuple of ShortHistory
        Bakeries with few trading days.
    layout : Path or None
        File of the layout.
    new_layout : str
        What goes there; "" where it was read.
    """

    out: Path
    table: SalesTable
    notes: tuple[Note, ...]
    first_day: dt.date
    last_day: dt.date
    products: tuple[str, ...]
    short: tuple[ShortHistory, ...]
    layout: Path | None = None
    new_layout: str = ""


def read_export(
    request: ImportRequest, out: Path, *, force: bool = False, layout: Path | None = None
) -> ImportReport:
    """Turn an export into a sales table, for a person to look at before it is written.

    Parameters
    ----------
    request : ImportRequest
        The export and how it is meant.
    out : Path
        Table to write: .csv, .csv.gz or .parquet.
    force : bool
        Replace a file that is there.
    layout : Path, optional
        What an earlier export was like, if the file is there; otherwise what this one is like is
        going to be written there.

    Raises
    ------
    GleanError
        The export can't be read so, with everything that is wrong with it; or `out` can't be
        written.
    """
    check_target(out, force=force)
    if layout is not None and absolute_path(layout) == absolute_path(out):
        raise SettingsError(f"--layout: found {layout}, as --out; wanted a file of its own")
    known = layout is not None and layout.exists()
    if layout is not None and known:
        request = with_layout(request, read_layout(layout), str(layout))
    elif layout is not None:
        check_outputs(layout, option="--layout")
    imported = import_sales(request)
    rows = imported.table.rows
    return ImportReport(
        out=out,
        table=imported.table,
        notes=imported.notes,
        first_day=rows["date"].min().date(),
        last_day=rows["date"].max().date(),
        products=tuple(sorted(rows["product"].unique())),
        short=tuple(short_histories(imported.table)),
        layout=layout,
        new_layout="" if known else imported.layout.to_json(),
    )


def write_import(report: ImportReport, *, force: bool = False) -> None:
    """Write the table of an import, and its layout if it is new.

    Parameters
    ----------
    report : ImportReport
        What `read_export` found.
    force : bool
        Replace a file that is there.

    Raises
    ------
    GleanError
        It can't be written.
    """
    write_sales(report.table, report.out, force=force)
    if report.layout is not None and report.new_layout:
        write_outputs({report.layout: report.new_layout}, option="--layout")
