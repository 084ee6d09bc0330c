"""Tables of several bakeries become one: rows below one another, what is missing is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from glean.errors import Problem, SalesError
from glean.sales.reading.day_rows import table_of
from glean.sales.reading.sales_file import read_sales
from glean.sales.table import FLAGS, KEYS, SalesTable

MOST_NAMED = 3
"""Files that are named one by one before the rest is counted."""


def merge_tables(paths: Sequence[Path]) -> tuple[SalesTable, tuple[str, ...]]:
    """Put sales tables below one another.

    Parameters
    ----------
    paths : sequence of Path
        Files in the format of docs/sales-tables.md, each once. One without a column `bakery` is one
        bakery, named like the file.

    Returns
    -------
    SalesTable
        All of their rows.
    tuple of str
        A sentence for each column that isn't in all of them: flags are 0 there, the rest is empty.

    Raises
    ------
    SalesError
        With everything that is wrong with the files; or a day of a product is in two of them.
    """
    tables: dict[Path, pd.DataFrame] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            tables[path] = read_sales(path).rows
        except SalesError as error:
            problems += error.problems
    problems += _in_two(tables)
    if problems:
        raise SalesError(problems)
    columns = dict.fromkeys(str(name) for rows in tables.values() for name in rows)
    lacking = {
        name: [path for path, rows in tables.items() if name not in rows] for name in columns
    }
    merged = pd.concat(tables.values(), ignore_index=True)
    fills = {"sold_out_at": ""} | dict.fromkeys(FLAGS, 0.0)
    merged = merged.fillna({name: fill for name, fill in fills.items() if name in merged})
    told = tuple(_told(name, without) for name, without in lacking.items() if without)
    return table_of(merged), told


def _in_two(tables: dict[Path, pd.DataFrame]) -> list[Problem]:
    """Find the days of a product that two files have."""
    keys = [rows[list(KEYS)].assign(path=str(path)) for path, rows in tables.items()]
    if not keys:
        return []
    rows = pd.concat(keys, ignore_index=True)
    again = rows[rows.duplicated(list(KEYS))]
    both = again.merge(rows.drop_duplicates(list(KEYS)), on=list(KEYS), suffixes=("", "_before"))
    problems = []
    for (path, before), shared in both.groupby(["path", "path_before"], sort=False):
        first = shared.iloc[0]
        more = f" and {len(shared) - 1:,} more rows" if len(shared) > 1 else ""
        found = f"{first['product']!r} of {first['bakery']!r} on {first['date']:%Y-%m-%d}{more}"
        wanted = f"each day once; {before} has it already, so cut or rename one of the two"
        problems.append(Problem(str(path), None, "", found, wanted))
    return problems


def _told(column: str, without: Sequence[Path]) -> str:
    more = f" and {len(without) - MOST_NAMED} more" if len(without) > MOST_NAMED else ""
    files = ", ".join(str(path) for path in without[:MOST_NAMED]) + more
    return f"{column!r} isn't in {files}: {'0' if column in FLAGS else 'empty'} there"
