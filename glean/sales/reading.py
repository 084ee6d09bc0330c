"""A file in Glean's format becomes a `SalesTable`, or an error with everything wrong in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from glean.errors import Problem, SalesError
from glean.sales.checks import typed_rows
from glean.sales.day_rows import repeated_days, table_of
from glean.sales.parquet_files import open_parquet_sheet
from glean.sales.returns import settle_returns
from glean.sales.sheet import Sheet
from glean.sales.table import FORMAT, ONE_PRODUCT, SalesTable
from glean.sales.text_files import DELIMITER_NAMES, TextSheet, open_text_sheet
from glean.sales.values import Fault, read_numbers

_IMPORT = "`glean data import` reads such files and writes the format"
_ENDINGS = (".csv", ".parquet", ".pq", ".txt", ".tsv")


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
    sheet, problems = read_sheet(Path(path))
    problems += missing_columns(sheet)
    if not len(sheet) and not problems:
        wanted = "at least one line of sales"
        problems.append(Problem(sheet.source, None, "", "a header and no lines", wanted))
    columns = {name: name for name in sheet.cells if name in FORMAT or _has_numbers(sheet, name)}
    frame, found = typed_rows(sheet, columns)
    problems += found
    if "units" in frame:
        frame, found = settle_returns(sheet, frame, "units", returns)
        problems += found
    if "date" in frame:
        problems += repeated_days(sheet, frame, "date")
    if problems:
        raise SalesError(in_file_order(problems))
    if "bakery" not in frame:
        frame = frame.assign(bakery=stem_of(Path(path)))
    if "product" not in frame:
        frame = frame.assign(product=ONE_PRODUCT)
    return table_of(frame)


def read_sheet(path: Path) -> tuple[Sheet, list[Problem]]:
    """Read the texts of a file that should be in the format, and what is wrong with the file.

    Raises
    ------
    SalesError
        Nothing of the file can be read.
    """
    if path.suffix.lower() in (".parquet", ".pq"):
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
    """Sort problems by line, what concerns the whole file first."""
    return sorted(problems, key=lambda problem: problem.line or 0)


def stem_of(path: Path) -> str:
    """Name of a file without its folder and endings: "shop.csv.gz" -> "shop"."""
    stem = path.name.removesuffix(".gz").removesuffix(".GZ")
    ending = Path(stem).suffix
    return stem.removesuffix(ending) if ending.lower() in _ENDINGS else stem


MOST_COLUMNS = 12
"""Columns that a message lists."""


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
        problems.append(Problem(source, None, "", name, f"UTF-8; {_IMPORT}"))
    if opened.delimiter != ",":
        found = f"a {DELIMITER_NAMES[opened.delimiter]} between the values"
        problems.append(Problem(source, 1, "", found, f"a comma; {_IMPORT}"))
    return problems
