"""A `SalesTable` becomes a file that `read_sales` reads again, the same."""

from __future__ import annotations

import gzip
import os
from contextlib import suppress
from pathlib import Path

import pandas as pd

from glean.errors import GleanError
from glean.installed_packages import check_installed
from glean.runs.spreadsheet_cells import to_spreadsheet_csv
from glean.sales.table import SalesTable


def write_sales(table: SalesTable, path: Path, *, force: bool = False) -> None:
    """Write a table as .csv, .csv.gz or .parquet, whole or not at all.

    The same table gives the same bytes: no time, no row numbers.

    Parameters
    ----------
    table : SalesTable
        What to write.
    path : Path
        Where; the ending says the format. Missing folders are made.
    force : bool
        Replace a file that is there.

    Raises
    ------
    GleanError
        The file is there already, the ending is unknown, or the folder can't be written to.
    """
    check_target(path, force=force)
    data = _encoded(table, path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        # Where the folder is none, there is no part either, and looking for it fails likewise.
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise _unwritable(path, error) from None


def check_target(path: Path, *, force: bool) -> None:
    """Refuse a path that can't become a sales table, before any work is done.

    Raises
    ------
    GleanError
        The file is there already, its folder is closed to us, or the ending is unknown.
    """
    if not path.name.endswith((".csv", ".csv.gz", ".parquet")):
        raise GleanError(f"{path}: found another ending; wanted .csv, .csv.gz or .parquet")
    try:
        taken = path.exists()
    except OSError as error:
        raise _unwritable(path, error) from None
    if taken and not force:
        raise GleanError(f"{path}: is there already; --force replaces it")


def _encoded(table: SalesTable, path: Path) -> bytes:
    rows = table.rows.copy()
    if path.suffix == ".parquet":
        check_installed("pyarrow", extra="parquet")
        return bytes(rows.to_parquet(index=False))
    rows["date"] = rows["date"].dt.strftime("%Y-%m-%d")
    for name in rows.columns[rows.dtypes == "float64"]:
        rows[name] = _shortest(rows[name])
    data = to_spreadsheet_csv(rows).encode()
    return gzip.compress(data, mtime=0) if path.suffix == ".gz" else data


def _shortest(numbers: pd.Series[float]) -> pd.Series[float] | pd.Series[int]:
    """Show whole numbers without a point, if all of a column are whole."""
    known = numbers.dropna()
    if (known == known.round()).all() and (known.abs() < 2**53).all():
        return numbers.astype("Int64")
    return numbers


def _unwritable(path: Path, error: OSError) -> GleanError:
    return GleanError(f"{path}: can't be written ({error.strerror}); choose another")
