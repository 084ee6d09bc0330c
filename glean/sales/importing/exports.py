"""An export of a till or spreadsheet becomes a `Sheet`, with how it is written."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np

from glean.errors import Problem, SalesError
from glean.languages.catalogues import translatable
from glean.languages.sentences import Sentence
from glean.sales.importing.notation import (
    DATE_ORDER_NAMES,
    DATE_ORDERS,
    DECIMAL_NAMES,
    check_choice,
    clear_marks,
    detect_date_order,
    detect_decimals,
)
from glean.sales.reading.checks import Forms
from glean.sales.reading.dates import DateOrder, has_month_name, read_dates
from glean.sales.reading.parquet_files import open_parquet_sheet
from glean.sales.reading.sales_file import in_file_order
from glean.sales.reading.sheet import Sheet, Texts
from glean.sales.reading.text_files import DELIMITER_NAMES, DELIMITERS, open_text_sheet
from glean.sales.reading.values import NumberFormat

Note = tuple[str, str]
"""A line of an import's report: what, and what was found or done."""

_LOOKED_AT = 1000
"""Cells among which an example is found."""


@dataclass(frozen=True)
class Notation:
    """How a file is written; what is empty is found out.

    Parameters
    ----------
    encoding : str
        Python's name of it, like "cp1252".
    delimiter : str
        One of `DELIMITERS`, or "tab".
    decimal : str
        "." or ",".
    decimals : mapping of str to str
        Column -> "." or ",", where columns differ.
    date_order : str
        "dmy", "mdy", "ymd" or "serial".
    options : str
        How the options begin that tell these, for the messages.
    """

    encoding: str = ""
    delimiter: str = ""
    decimal: str = ""
    decimals: Mapping[str, str] = field(default_factory=dict)
    date_order: str = ""
    options: str = "--"

    def __post_init__(self) -> None:
        if self.delimiter in ("tab", "\\t"):
            object.__setattr__(self, "delimiter", "\t")
        check_choice(self.options + "delimiter", self.delimiter, ("", *DELIMITERS))
        for mark in (self.decimal, *self.decimals.values()):
            check_choice(self.options + "decimal", mark, ("", ".", ","))
        check_choice(self.options + "date-order", self.date_order, ("", *DATE_ORDERS))


def open_export(path: Path, notation: Notation) -> tuple[Sheet, list[Note], list[Problem]]:
    """Read an export as texts: CSV in any delimiter and encoding, gzipped or not, or parquet.

    Returns
    -------
    Sheet
        The lines that fit the header.
    list of Note
        How the file is written.
    list of Problem
        The other lines.

    Raises
    ------
    SalesError
        Nothing of the file can be read.
    """
    if path.suffix.lower() in (".parquet", ".pq"):
        return _filled(open_parquet_sheet(path)), [("file", f"{path.name}: parquet")], []
    opened = open_text_sheet(
        path, encoding=notation.encoding or None, delimiter=notation.delimiter or None
    )
    problems = list(opened.problems)
    if problems and not len(opened.sheet):
        raise SalesError(problems)
    delimiter = DELIMITER_NAMES[opened.delimiter]
    words = f"{path.name}: encoding {opened.encoding}, a {delimiter} between the values"
    return _filled(opened.sheet), [("file", words)], problems


@contextmanager
def together_with(problems: Sequence[Problem]) -> Iterator[None]:
    """Raise these problems, found earlier, together with what is raised inside."""
    try:
        yield
    except SalesError as error:
        raise SalesError(in_file_order([*problems, *error.problems])) from None


def _filled(sheet: Sheet) -> Sheet:
    if not len(sheet):
        found = Sentence(translatable("a header and no lines"))
        wanted = Sentence(translatable("at least one line"))
        raise SalesError([Problem(sheet.source, None, "", found, wanted)])
    return sheet


def forms_of(
    sheet: Sheet, date: str, numbers: Sequence[str], notation: Notation
) -> tuple[Forms, list[Note]]:
    """Find out how a sheet writes dates and numbers, as far as `notation` doesn't say.

    Raises
    ------
    SalesError
        The cells leave it open.
    """
    order = cast(
        "DateOrder", notation.date_order or detect_date_order(sheet, date, options=notation.options)
    )
    decimals, how = _decimals(sheet, numbers, notation)
    told = {True: "as told", False: "detected"}
    words = f"{_dates_like(sheet.cells[date], order)} ({told[bool(notation.date_order)]})"
    notes = [
        ("dates", words),
        ("numbers", how),
    ]
    by_column = {name: NumberFormat(mark, lenient=True) for name, mark in decimals.items()}
    usual = next(iter(by_column.values()), NumberFormat(lenient=True))
    return Forms(order, usual, by_column=by_column), notes


def settled_notation(
    notation: Notation, sheet: Sheet, numbers: Sequence[str], forms: Forms, made: Collection[str]
) -> Notation:
    """Add to what was told of a file's writing what its cells leave no doubt of.

    Parameters
    ----------
    notation : Notation
        What was told.
    sheet : Sheet
        The file.
    numbers : sequence of str
        Its columns of numbers.
    forms : Forms
        How it was read.
    made : collection of str
        Columns that are no columns of the file.
    """
    # Days with the year first are read whatever the order.
    order = notation.date_order or ("" if forms.dates == "ymd" else forms.dates)
    marks = {} if notation.decimal or notation.decimals else clear_marks(sheet, numbers)
    if len(set(marks.values())) == 1:
        return replace(notation, date_order=order, decimal=next(iter(marks.values())))
    decimals = {name: mark for name, mark in marks.items() if name not in made}
    return replace(notation, date_order=order, decimals=decimals or notation.decimals)


def _decimals(
    sheet: Sheet, columns: Sequence[str], notation: Notation
) -> tuple[dict[str, str], str]:
    """Decimal mark of each column of numbers, and what is told of them."""
    told = dict.fromkeys(columns, notation.decimal) if notation.decimal else {}
    told |= {name: mark for name, mark in notation.decimals.items() if name in columns}
    rest = [name for name in columns if name not in told]
    found = told | detect_decimals(sheet, rest, options=notation.options)
    how = "detected" if not told else "as told" if not rest else "some as told"
    if len(set(found.values())) <= 1:
        return found, f"decimal {DECIMAL_NAMES[next(iter(found.values()), '.')]} ({how})"
    each = ", ".join(f"{DECIMAL_NAMES[mark]} in {name}" for name, mark in found.items())
    return found, f"decimal {each} ({how})"


def _dates_like(texts: Texts, order: DateOrder) -> str:
    """Say how dates are written, by an example and the day that it is taken for."""
    days = read_dates(texts[:_LOOKED_AT], order)
    row = int(np.argmin(np.isnat(days)))
    name = "the month by its name" if has_month_name(texts[row]) else DATE_ORDER_NAMES[order]
    return f"{name}, like {texts[row]}" + (
        "" if np.isnat(days[row]) else f" = {str(days[row])[:10]}"
    )


def align_rows(sheet: Sheet, other: Sheet) -> Sheet:
    """Put the columns of another file beside those of this one, row by row.

    Raises
    ------
    SalesError
        The files differ in length or share a column.
    """
    problems = []
    if len(sheet) != len(other):
        found = f"{len(other)} lines"
        wanted = f"{len(sheet)}, as in {sheet.source}, to go with it line by line"
        problems.append(Problem(other.source, None, "", found, wanted))
    for name in sheet.cells.keys() & other.cells.keys():
        wanted = "it in one of the two; rename it here or there"
        problems.append(Problem(other.source, None, name, "a column of both files", wanted))
    if problems:
        raise SalesError(problems)
    return replace(sheet, cells=sheet.cells | other.cells)


def missing_from(sheet: Sheet, named: Sequence[tuple[str, str]]) -> list[Problem]:
    """Say which of the columns that options name aren't in the file, and what may be meant.

    Parameters
    ----------
    sheet : Sheet
        The file.
    named : sequence of (str, str)
        Option, like "--date", and the column it names.
    """
    # Here, since most imports name their columns rightly.
    import difflib

    problems = []
    for option, column in named:
        if column not in sheet.cells:
            near = difflib.get_close_matches(column, sheet.cells, n=1, cutoff=0.5)
            meant = f"; perhaps {near[0]!r}?" if near else ""
            found = f"the columns {', '.join(list(sheet.cells)[:20])}"
            wanted = f"{column!r}, named by {option}{meant}"
            problems.append(Problem(sheet.source, None, column, found, wanted))
    return problems
