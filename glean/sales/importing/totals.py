"""Columns and lines that are no products: totals, calendar weeks, running numbers."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from glean.errors import Problem, SalesError
from glean.languages.catalogues import translatable
from glean.languages.sentences import Sentence
from glean.sales.importing.exports import Note
from glean.sales.importing.line_kinds import is_no_product
from glean.sales.importing.request import Columns
from glean.sales.importing.total_words import is_total
from glean.sales.reading.sheet import Sheet, quoted
from glean.sales.reading.values import NumberFormat, distinct_of, read_numbers

MOST_NAMED = 5
"""Columns or items that a message lists."""

FEWEST_PARTS = 3
"""A column adds others up only if there are so many: two products may sell the same."""

_DATE_PARTS = re.compile(
    r"kw|kalenderwoche|cw|(calendar )?week( ?(no|number|nr))?|woche|semaine|jahr|year|année"
    r"|monat|month|mois|tag|day|jour|(lfd ?)?nr|no|id|index|zeile|row|#",
    re.IGNORECASE,
)


def without_total_columns(
    sheet: Sheet, products: Sequence[str], choice: str
) -> tuple[list[str], list[Note]]:
    """Find the columns of a wide sheet that add others up or count days.

    Parameters
    ----------
    sheet : Sheet
        The wide sheet.
    products : sequence of str
        Its columns of numbers.
    choice : str
        "drop", "keep", or "" to be asked.

    Raises
    ------
    SalesError
        There are some, and nobody said what to do.
    """
    odd = [name for name in products if _is_named_so(name)]
    odd += _adding_up(sheet, [name for name in products if name not in odd])
    if choice == "keep" or not odd:
        return list(products), []
    if choice == "drop":
        left = [name for name in products if name not in odd]
        return left, [("dropped", f"the columns {', '.join(odd)}: totals or parts of the date")]
    found = Sentence(
        translatable("the columns {columns}, totals or parts of the date beside products"),
        columns=_listed(odd),
    )
    wanted = Sentence(
        translatable(
            "products only; leave them out by --totals drop, or take them for products by "
            "--totals keep"
        )
    )
    raise SalesError([Problem(sheet.source, None, "", found, wanted)])


def without_total_lines(
    sheet: Sheet, columns: Columns, choice: str, *, ignored: Sequence[str] = ()
) -> tuple[Sheet, list[Note]]:
    """Find the lines whose date or product says that they add others up, or are discounts.

    Parameters
    ----------
    sheet : Sheet
        n lines.
    columns : Columns
        What is what there.
    choice : str
        "drop", "keep", or "" to be asked.
    ignored : sequence of str
        Products that are left out anyway.

    Raises
    ------
    SalesError
        There are some, and nobody said what to do.
    """
    is_odd = np.zeros(len(sheet), dtype=bool)
    called: dict[str, None] = {}
    for column in filter(None, (columns.date, columns.product)):
        codes, distinct = distinct_of(sheet.cells[column])
        is_item = column == columns.product
        adds_up = [
            text not in ignored and (is_total(text) or (is_item and is_no_product(text)))
            for text in distinct
        ]
        is_odd |= np.array(adds_up or [False])[codes]
        called |= dict.fromkeys(t for t, odd in zip(distinct, adds_up, strict=True) if odd)
    if choice == "keep" or not is_odd.any():
        return sheet, []
    lines = int(is_odd.sum())
    count = f"{lines:,} line{'s' * (lines != 1)}"
    if choice == "drop":
        return sheet.rows(~is_odd), [
            ("dropped", f"{count} of {_kinds(called)}: {_listed(list(called))}")
        ]
    first = int(np.flatnonzero(is_odd)[0])
    several = translatable("{count} lines called {names}: {kinds} among the products")
    one = translatable("1 line called {names}: {kinds} among the products")
    found = Sentence(
        one if lines == 1 else several,
        count=lines,
        names=_listed(list(called)),
        kinds=_kinds(called),
    )
    wanted = Sentence(
        translatable(
            "lines of products only; leave them out by --totals drop, or take them for products "
            "by --totals keep"
        )
    )
    raise SalesError([Problem(sheet.source_of(first), int(sheet.lines[first]), "", found, wanted)])


def _kinds(called: Collection[str]) -> str:
    """Name the kinds of some items that are no products."""
    if not any(map(is_no_product, called)):
        return Sentence(translatable("totals"))
    if not any(map(is_total, called)):
        return Sentence(translatable("discounts, voids or returns"))
    return Sentence(translatable("totals and discounts, voids or returns"))


def _is_named_so(name: str) -> bool:
    return is_total(name) or bool(
        _DATE_PARTS.fullmatch(" ".join(re.split(r"[\s._-]+", name.strip(" .:"))))
    )


def _adding_up(sheet: Sheet, products: Sequence[str]) -> list[str]:
    """Find columns that are the sum of all others, by nine lines of ten."""
    if len(products) <= FEWEST_PARTS:
        return []
    form = NumberFormat(",", lenient=True), NumberFormat(".", lenient=True)
    units = pd.DataFrame({n: _either(sheet, n, form) for n in products}).fillna(0.0)
    every = units.sum(axis=1)
    sold = every > 0
    return [
        name
        for name in products
        if sold.any() and np.isclose(2 * units[name][sold], every[sold]).mean() > 0.9
    ]


def _either(sheet: Sheet, name: str, forms: Sequence[NumberFormat]) -> np.ndarray:
    """Read a column by the decimal mark that reads more of it."""
    read = [read_numbers(sheet.cells[name], form)[0] for form in forms]
    return max(read, key=lambda numbers: int((~np.isnan(numbers)).sum()))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(quoted(name) for name in names[:MOST_NAMED]) + more
