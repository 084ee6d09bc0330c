"""A file in Glean's format becomes a `SalesTable`, or an error with everything wrong in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from glean.errors import Problem, SalesError
from glean.runs.spreadsheet_cells import unescape_cell
from glean.sales.reading.checks import typed_rows, wanted_name
from glean.sales.reading.day_rows import repeated_days, table_of
from glean.sales.reading.parquet_files import open_parquet_sheet
from glean.sales.reading.returns import settle_returns
from glean.sales.reading.sheet import Sheet
from glean.sales.reading.text_files import DELIMITER_NAMES, TextSheet, open_text_sheet
from glean.sales.reading.values import Fault, read_numbers
from glean.sales.table import FORMAT, ONE_PRODUCT, SalesTable

_IMPORT = "`glean data import` reads such files and writes the format"
_ENDINGS = (".csv", ".parquet", ".pq", ".txt", ".tsv", ".xlsx", ".xlsm", ".xls", ".ods")


def read_sales(path: Path, *, returns: str | None = None) -> SalesTable:
    """Read a sales table: .csv, .csv.gz or .parquet in the format of docs/sales-tables.md.

    A table without a column `bakery` is one bakery, named like the file; without `product`, one
    product "all". Further columns of text and columns without a name are left out.

    Parameters
    ----------
    path : Path
        The file.
    returns : str, optional
        What to do with negative units: "net" takes them off the same day's other rows of that
        bakery and product, never below 0; "drop" leaves such rows out. By default they are an
        error.

    Raises
    ------
    SalesError
        With every problem of the file, each with its line and column.
    SettingsError
        `returns` is neither net nor drop.
    """
    draft = read_draft(Path(path), returns=returns)
    if draft.problems:
        raise SalesError(draft.problems)
    return table_of(draft.rows)


@dataclass(frozen=True)
class Draft:
    """What can be read of a file, whether it can be trusted or not.

    Parameters
    ----------
    rows : DataFrame
        Typed rows of the format's columns; NaN or NaT where a cell has a problem. `date` and
        `units` may be missing.
    problems : tuple of Problem
        Everything that is wrong, in the order of the file.
    ignored : tuple of str
        Columns of text that the format doesn't know.
    """

    rows: pd.DataFrame
    problems: tuple[Problem, ...]
    ignored: tuple[str, ...]


def read_draft(path: Path, *, returns: str | None = None) -> Draft:
    """Read a file as far as it can be read, and collect every problem.

    Raises
    ------
    SalesError
        Nothing of the file can be read.
    SettingsError
        `returns` is neither net nor drop.
    """
    sheet, problems = read_sheet(path)
    problems += missing_columns(sheet)
    if not len(sheet) and not problems:
        wanted = "at least one line of sales"
        problems.append(Problem(sheet.source, None, "", "a header and no lines", wanted))
    columns = {name: name for name in sheet.cells if name in FORMAT or _has_numbers(sheet, name)}
    rows, found = typed_rows(sheet, columns)
    problems += found
    if not _is_parquet(path):
        names = [name for name in ("bakery", "product") if name in rows]
        rows = rows.assign(**{name: rows[name].map(unescape_cell) for name in names})
    if "units" in rows:
        rows, found = settle_returns(sheet, rows, "units", returns)
        problems += found
    if "date" in rows:
        problems += repeated_days(sheet, rows, "date")
    if "bakery" not in rows and (wanted := wanted_name(stem_of(path), "bakery")):
        found_name = f"a file named {stem_of(path)!r} without a column 'bakery'"
        problems.append(Problem(sheet.source, None, "", found_name, wanted))
    defaults = {"bakery": stem_of(path), "product": ONE_PRODUCT}
    rows = rows.assign(**{name: text for name, text in defaults.items() if name not in rows})
    ignored = tuple(name for name in sheet.cells if name not in columns)
    return Draft(rows, tuple(in_file_order(problems)), ignored)


def read_sheet(path: Path) -> tuple[Sheet, list[Problem]]:
    """Read the texts of a file that should be in the format, and what is wrong with the file.

    Raises
    ------
    SalesError
        Nothing of the file can be read.
    """
    if _is_parquet(path):
        return open_parquet_sheet(path), []
    opened = open_text_sheet(path)
    return opened.sheet, _unlike_the_format(opened) + list(opened.problems)


def missing_columns(sheet: Sheet) -> list[Problem]:
    """Say which of the columns that every table needs aren't there."""
    found = "the columns " + ", ".join(list(sheet.cells)[:MOST_COLUMNS])
    by_lower = {name.lower(): name for name in sheet.cells}
    problems = []
    for name in ("date", "units"):
        if name not in sheet.cells:
            wanted = f"a column {name!r}"
            if name in by_lower:
                wanted += f"; {by_lower[name]!r} is nearly it, names are in lower case"
            else:
                wanted += f" (`glean data import --{name} COLUMN` renames yours)"
            problems.append(Problem(sheet.source, None, name, found, wanted))
    return problems


def in_file_order(problems: list[Problem]) -> list[Problem]:
    """Sort problems by file and line, what concerns a whole file first."""
    files = list(dict.fromkeys(problem.source for problem in problems))
    ranks = {source: rank for rank, source in enumerate(files)}
    return sorted(problems, key=lambda problem: (ranks[problem.source], problem.line or 0))


def stem_of(path: Path) -> str:
    """Name of a file without its folder and endings: "shop.csv.gz" -> "shop"."""
    stem = path.name.removesuffix(".gz").removesuffix(".GZ")
    ending = Path(stem).suffix
    return stem.removesuffix(ending) if ending.lower() in _ENDINGS else stem


MOST_COLUMNS = 12
"""Columns that a message lists."""


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() in (".parquet", ".pq")


def _has_numbers(sheet: Sheet, name: str) -> bool:
    texts = sheet.cells[name]
    _, faults = read_numbers(texts)
    told = [Fault.FINE, Fault.DECIMAL_COMMA, Fault.NOT_FINITE, Fault.TOO_LARGE]
    return bool(np.isin(faults, told).any() or (faults == Fault.EMPTY).all())


def _unlike_the_format(opened: TextSheet) -> list[Problem]:
    source = opened.sheet.source
    problems = []
    if opened.encoding == "utf-8-sig":
        found = "a byte order mark (BOM) before the header"
        problems.append(Problem(source, 1, "", found, f"UTF-8 without it; {_IMPORT}"))
    elif opened.encoding != "utf-8":
        name = "UTF-16" if opened.encoding.startswith("utf-16") else "text that isn't UTF-8"
        problems.append(Problem(source, opened.odd_line, "", name, f"UTF-8; {_IMPORT}"))
    if opened.delimiter != ",":
        found = f"a {DELIMITER_NAMES[opened.delimiter]} between the values"
        problems.append(Problem(source, 1, "", found, f"a comma; {_IMPORT}"))
    return problems
