"""What a bakery tells of its coming days: promotions, prices, weather, days on which it is closed.

In comes a small CSV, one row a day or a day and product, written as bakers write product lists;
out come checked rows, which `forecasting/future_rows.py` puts into the days to forecast.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.errors import Problem, SalesError
from glean.sales.reading.dates import DateOrder, read_dates
from glean.sales.reading.sales_file import in_file_order
from glean.sales.reading.sheet import Sheet, Texts
from glean.sales.reading.values import MISSING_WORDS, NumberFormat, read_flags
from glean.sales.table import FLAGS
from glean.sales.typed_lists import names_in, numbers_in, open_list

ALL_PRODUCTS = ""
"""The product of a row that is about all products of its day."""

MOST_NAMED = 8
"""Products that a message lists."""

_KEYS = ("date", "product")
_ORDERS: tuple[DateOrder, ...] = ("dmy", "mdy", "ymd")
_DOTTED = re.compile(r"\d{1,2}\.")


@dataclass(frozen=True)
class KnownFuture:
    """What is told of coming days.

    Parameters
    ----------
    rows : DataFrame
        Each day and product once. Columns: `date` (datetime64, midnight), `product` (str,
        `ALL_PRODUCTS` for all of the day), `open` (float64: 0 closed, 1 open, NaN not told) and
        whatever is told of the inputs (float64, NaN where not told).
    """

    rows: pd.DataFrame

    @property
    def inputs(self) -> tuple[str, ...]:
        """Columns of the sales table of which anything is told."""
        told = self.rows.drop(columns=[*_KEYS, "open"]).notna().any()
        return tuple(str(name) for name in told.index[told])

    @property
    def of_products(self) -> KnownFuture:
        """What is told of single products."""
        return KnownFuture(self.rows[self.rows["product"] != ALL_PRODUCTS])

    @property
    def offered(self) -> frozenset[str]:
        """Products that are told as on offer, on some day."""
        rows = self.of_products.rows
        return frozenset(rows.loc[rows["open"] > 0, "product"])

    def values_of(self, keys: pd.DataFrame) -> pd.DataFrame:
        """Look up what is told of days and products; a product's own row beats the day's.

        Parameters
        ----------
        keys : DataFrame
            n rows with `date` and `product`.

        Returns
        -------
        DataFrame
            n rows on a fresh RangeIndex: `open` and the inputs, NaN where nothing is told.

        Examples
        --------
        >>> day = pd.Timestamp("2026-12-24")
        >>> told = pd.DataFrame({"date": day, "product": ["", "roll"], "open": [1.0, np.nan]})
        >>> told["promotion"] = [0.0, 1.0]
        >>> asked = pd.DataFrame({"date": day, "product": ["roll", "loaf"]})
        >>> KnownFuture(told).values_of(asked)["promotion"].tolist()
        [1.0, 0.0]
        """
        told = self.rows.set_index(list(_KEYS))
        asked = keys[list(_KEYS)]
        own, shared = (
            told.reindex(pd.MultiIndex.from_frame(place)).reset_index(drop=True)
            for place in (asked, asked.assign(product=ALL_PRODUCTS))
        )
        return own.fillna(shared)


NOTHING_KNOWN = KnownFuture(
    pd.DataFrame(
        {
            "date": pd.Series([], dtype="datetime64[us]"),
            "product": pd.Series([], dtype="str"),
            "open": pd.Series([], dtype=np.float64),
        }
    )
)
"""No file was given."""


def read_future_file(
    path: Path, *, days: pd.DatetimeIndex, products: Sequence[str], inputs: Sequence[str]
) -> KnownFuture:
    """Read a file of coming days.

    Written in any way that an export may be written; an empty cell says nothing. A date that can
    be read in two ways is the one of the days that can be forecast.

    Parameters
    ----------
    path : Path
        The file: `date`, and any of `product`, `open` and `inputs`.
    days : DatetimeIndex
        Days that can be forecast.
    products : sequence of str
        Products that are forecast.
    inputs : sequence of str
        Columns of the sales table that the forecast knows.

    Raises
    ------
    SalesError
        With every problem of the file, each with its line and column.
    """
    sheet, problems = open_list(path)
    known = (*_KEYS, "open", *inputs)
    problems += _column_problems(sheet, known)
    frame = pd.DataFrame({"product": ALL_PRODUCTS, "open": np.nan}, index=range(len(sheet)))
    told = [name for name in known if name in sheet.cells]
    numbers, unread = numbers_in(sheet, [n for n in told if n not in (*_KEYS, "open", *FLAGS)])
    problems += unread
    for name in told:
        if name in numbers:
            frame[name], found = numbers[name], _unpriced(sheet, name, numbers[name])
        else:
            frame[name], found = _column(sheet, name, days, products)
        problems += found
    if "date" in frame:
        problems += _told_twice(sheet, frame)
    if problems:
        raise SalesError(in_file_order(problems))
    return KnownFuture(frame)


def _column_problems(sheet: Sheet, known: Sequence[str]) -> list[Problem]:
    listed = "one of the columns " + ", ".join(known)
    problems = []
    for name in sheet.cells:
        if name not in known:
            near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.7)
            wanted = listed + (f"; {near[0]!r} is nearly it" if near else "")
            found = "a column that the forecast doesn't know"
            problems.append(Problem(sheet.source, None, name, found, wanted))
    if "date" not in sheet.cells:
        found = "the columns " + ", ".join(sheet.cells)
        problems.append(Problem(sheet.source, None, "date", found, "a column 'date'"))
    return problems


def _column(
    sheet: Sheet, name: str, days: pd.DatetimeIndex, products: Sequence[str]
) -> tuple[NDArray[np.generic] | Texts, list[Problem]]:
    match name:
        case "date":
            return _dates(sheet, days)
        case "product":
            return _products(sheet, products)
        case _:
            return _flags(sheet, name)


def _dates(sheet: Sheet, days: pd.DatetimeIndex) -> tuple[NDArray[np.datetime64], list[Problem]]:
    """Read dates in any order of their numbers that gives one of the days to forecast."""
    texts = sheet.cells["date"]
    dotted = np.array([_DOTTED.match(text.strip()) is not None for text in texts], dtype=bool)
    readings = np.array([read_dates(texts, order) for order in _ORDERS])
    readings[1:, dotted] = np.datetime64("NaT")
    inside = np.isin(readings, days.to_numpy())
    best = np.where(inside.any(axis=0), inside.argmax(axis=0), (~np.isnat(readings)).argmax(axis=0))
    found = readings[best, np.arange(len(texts))]
    unread = np.isnat(found)
    beyond = ~unread & ~inside.any(axis=0)
    open_ = (inside & (readings != found)).any(axis=0)
    like = f"a date like {days[0].date()} or {days[0]:%d.%m.%Y}"
    of_these = (
        f"one of the {len(days)} days that can be forecast: {days[0].date()} to {days[-1].date()}"
    )
    problems = []
    for rows, wanted in (
        (unread, like),
        (beyond, of_these),
        (open_, f"{like}; this may be two of the days that can be forecast"),
    ):
        problems += sheet.problems_at(np.flatnonzero(rows), "date", wanted)
    return found, problems


def _products(sheet: Sheet, products: Sequence[str]) -> tuple[Texts, list[Problem]]:
    names = names_in(sheet, "product")
    problems = []
    for name in dict.fromkeys(names):
        if name not in (ALL_PRODUCTS, *products):
            rows = np.flatnonzero(names == name)
            problems += sheet.problems_at(rows, "product", _wanted_product(name, products))
    return names, problems


def _wanted_product(name: str, products: Sequence[str]) -> str:
    by_lower = {product.lower(): product for product in products}
    near = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    if near:
        return f"a product that is sold, like {', '.join(by_lower[text] for text in near)}"
    more = ", ..." if len(products) > MOST_NAMED else ""
    listed = ", ".join(products[:MOST_NAMED]) + more
    return f"a product that is sold ({listed}), or nothing for all of them"


def _flags(sheet: Sheet, column: str) -> tuple[NDArray[np.float64], list[Problem]]:
    texts = sheet.cells[column]
    flags = read_flags(texts, NumberFormat(lenient=True))
    wrong = np.flatnonzero(np.isnan(flags))
    told = np.array(
        [text.strip().lower() not in ("", *MISSING_WORDS) for text in texts], dtype=bool
    )
    wanted = "0 or 1 (no or yes), or nothing"
    return np.where(told, flags, np.nan), sheet.problems_at(wrong, column, wanted)


def _unpriced(sheet: Sheet, column: str, numbers: pd.Series[float]) -> list[Problem]:
    wrong = np.flatnonzero(numbers <= 0) if column == "price" else np.array([], dtype=np.intp)
    return sheet.problems_at(wrong, column, "a price above 0, like 2.50, or nothing")


def _told_twice(sheet: Sheet, frame: pd.DataFrame) -> list[Problem]:
    """Find rows of a day and product that an earlier row is about."""
    known = frame[frame["date"].notna()]
    first: dict[tuple[object, ...], int] = {}
    problems = []
    for row, key in zip(known.index, known[list(_KEYS)].itertuples(index=False), strict=True):
        line = first.setdefault(tuple(key), int(sheet.lines[row]))
        if line != sheet.lines[row]:
            wanted = f"each day once for a product, or for all; line {line} has it already"
            problems += sheet.problems_at(np.array([row]), "date", wanted)
    return problems
