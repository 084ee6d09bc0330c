"""A wide sheet (a column a product) becomes a long one (a row a product)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glean.errors import Problem, SalesError
from glean.sales.reading.sheet import Sheet, texts_of
from glean.sales.reading.values import MISSING_WORDS, Fault, NumberFormat, read_numbers

PRODUCT, UNITS = "(product)", "(units)"
"""Columns of the long sheet; in brackets, so that they can't be columns of the file."""


def melt(sheet: Sheet, products: Sequence[str]) -> tuple[Sheet, int]:
    """Stack the columns of some products.

    Empty cells are left out: nothing was offered. Problems found later name the product's column.

    Parameters
    ----------
    sheet : Sheet
        n rows.
    products : sequence of str
        p columns of it.

    Returns
    -------
    Sheet
        Up to n p rows with the other columns and `PRODUCT` and `UNITS`.
    int
        Cells that were left out.
    """
    rows = np.tile(np.arange(len(sheet)), len(products))
    names = texts_of([name for name in products for _ in range(len(sheet))])
    units = np.concatenate([sheet.cells[name] for name in products])
    others = {name: texts[rows] for name, texts in sheet.cells.items() if name not in products}
    cells = others | {PRODUCT: names, UNITS: units}
    parts = sheet.parts.rows(rows) if sheet.parts else None
    long = Sheet(sheet.source, cells, sheet.lines[rows], {UNITS: names}, parts)
    empty = np.array([_is_empty(text) for text in units], dtype=bool)
    return long.rows(~empty), int(empty.sum())


def product_columns(sheet: Sheet, others: Sequence[str]) -> list[str]:
    """Columns of numbers that aren't named for something else.

    Raises
    ------
    SalesError
        There are none.
    """
    form = NumberFormat(lenient=True)
    numeric = (Fault.FINE, Fault.EMPTY, Fault.DECIMAL_COMMA)
    found = [
        name
        for name, texts in sheet.cells.items()
        if name not in others and np.isin(read_numbers(texts, form)[1], numeric).mean() > 0.5
    ]
    if not found:
        wanted = "columns of numbers, one a product; name them by --products a,b,c"
        raise SalesError([Problem(sheet.source, None, "", "no column of numbers", wanted)])
    return found


def _is_empty(text: str) -> bool:
    return not text.strip() or text.strip().lower() in MISSING_WORDS
