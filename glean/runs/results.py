"""The tables of a run's folder as frames: read once, with their columns checked.

Which tables there are, and what stands in them, the caller says. Text stays text: the names in
them are the users' own, so that "007" is no number and "NA" no missing value, and what was escaped
for spreadsheets is as it was.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from glean.errors import GleanError
from glean.runs.spreadsheet_cells import unescape_cell


@dataclass(frozen=True)
class Columns:
    """What must stand in a table, and of which kind it is.

    Parameters
    ----------
    wanted : collection of str
        Columns without which the table is of no use.
    text : collection of str
        Columns that are text where they are there; all others are numbers, NaN where empty.
    dates : collection of str, default ()
        Columns that become datetimes; written like 2019-07-01.
    """

    wanted: Collection[str]
    text: Collection[str]
    dates: Collection[str] = ()


def read_table(path: Path, columns: Columns) -> pd.DataFrame | None:
    """Read a CSV file of a run's folder; None where there is no such file.

    Raises
    ------
    GleanError
        It is damaged or lacks a column.
    """
    if not path.is_file():
        return None
    as_text = {*columns.text, *columns.dates}
    try:
        # Read as text first: pandas would turn names into numbers or missing values.
        text = pd.read_csv(path, dtype=str, na_filter=False)
        typed = {str(name): _typed(text[name], text=str(name) in as_text) for name in text}
    except (ValueError, UnicodeDecodeError) as error:
        raise GleanError(f"{path}: can't be read as a table ({error}); run again") from error
    table = pd.DataFrame(typed)
    missing = [name for name in columns.wanted if name not in table]
    if missing:
        raise GleanError(
            f"{path}: found no column {', '.join(missing)}; was it written by another version of "
            "Glean? Run again with this one"
        )
    return table.assign(**{name: _days(path, table[name]) for name in columns.dates})


def _typed(column: pd.Series[str], *, text: bool) -> pd.Series[Any]:
    return (
        column.map(unescape_cell) if text else column.where(column != "", "nan").astype("float64")
    )


def _days(path: Path, column: pd.Series[str]) -> pd.Series[Any]:
    try:
        return pd.to_datetime(column, format="%Y-%m-%d")
    except ValueError as error:
        raise GleanError(f"{path}: a date isn't like 2019-07-01 ({error}); run again") from error
