"""A sheet of texts becomes typed rows, and every cell that can't be read a problem.

What rows say together (returns, days twice) is looked at in `returns` and `day_rows`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.errors import Problem
from glean.languages.catalogues import translatable
from glean.languages.sentences import Sentence
from glean.sales.reading.clock import AS_STAMPED, Clock, read_stamp_times
from glean.sales.reading.dates import (
    FIRST_YEAR,
    LAST_YEAR,
    DateFault,
    DateOrder,
    date_fault,
    exchanged,
    read_dates,
)
from glean.sales.reading.sheet import FEW_SHOWN, Sheet, Texts
from glean.sales.reading.values import (
    STRICT,
    Fault,
    NumberFormat,
    currency_of,
    distinct_of,
    read_flags,
    read_numbers,
    read_times,
)
from glean.sales.table import ALL_BAKERIES, FLAGS

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Forms:
    """How dates and numbers of a sheet are written.

    Parameters
    ----------
    dates : DateOrder
        Order of day, month and year.
    numbers : NumberFormat
        Decimal mark and what may stand around a number.
    by_column : mapping of str to NumberFormat
        The same of columns that differ.
    clock : Clock
        Which stamps belong to a day.
    exchange : bool
        Whether day and month are exchanged up to the 12th, see `exchanged`.
    """

    dates: DateOrder = "iso"
    numbers: NumberFormat = STRICT
    exchange: bool = False
    by_column: Mapping[str, NumberFormat] = field(default_factory=dict)
    clock: Clock = AS_STAMPED

    def numbers_of(self, column: str) -> NumberFormat:
        """How the numbers of a column are written."""
        return self.by_column.get(column, self.numbers)

    def days(self, texts: Texts) -> NDArray[np.datetime64]:
        """Read a column of dates, NaT where a text is none."""
        days = read_dates(texts, self.dates)
        days = exchanged(days) if self.exchange else days
        return self.clock.local_days(days, read_stamp_times(texts)) if self.clock.is_set else days


def typed_rows(
    sheet: Sheet, columns: Mapping[str, str], forms: Forms = Forms()
) -> tuple[pd.DataFrame, list[Problem]]:
    """Read columns of a sheet as what they are in a sales table.

    Parameters
    ----------
    sheet : Sheet
        n rows of texts.
    columns : mapping of str to str
        Name in the sales table -> column of the sheet.
    forms : Forms
        How dates and numbers are written.

    Returns
    -------
    DataFrame
        n rows, in the sheet's order, NaT or NaN where a cell has a problem.
    list of Problem
        Every cell that can't be read.
    """
    frame = pd.DataFrame(index=pd.RangeIndex(len(sheet)))
    problems: list[Problem] = []
    for name, column in columns.items():
        match name:
            case "date":
                frame[name], found = _dates(sheet, column, forms)
            case "bakery" | "product":
                frame[name], found = sheet.cells[column], _name_problems(sheet, column, name)
            case "sold_out_at":
                frame[name], found = _times(sheet, column)
            case _ if name in FLAGS:
                frame[name], found = _flags(sheet, column, forms.numbers_of(column))
            case _:
                form = forms.numbers_of(column)
                frame[name], found = _numbers(sheet, column, form, name == "units")
        problems += found
    return frame, problems


def wanted_name(text: str, kind: str) -> str:
    """Say what is wanted in place of a name of a "bakery" or "product"; "" if it will do."""
    if not text.strip():
        names = {
            "bakery": translatable("the name of a bakery"),
            "product": translatable("the name of a product"),
        }
        return Sentence(names[kind])
    if _CONTROL.search(text):
        return Sentence(translatable("a name on one line, without control characters"))
    if kind == "bakery" and text == ALL_BAKERIES:
        return "another name; this one stands for all bakeries in the results"
    return ""


def _dates(sheet: Sheet, column: str, forms: Forms) -> tuple[NDArray[np.datetime64], list[Problem]]:
    days = forms.days(sheet.cells[column])
    if not np.isnat(days).any():
        return days, []
    return days, _problems_by_text(sheet, column, partial(_wanted_date, order=forms.dates))


def _wanted_date(text: str, order: DateOrder) -> str:
    """Say what is wanted in place of a date; "" if it will do."""
    date = {
        "iso": translatable("a date like 2019-07-01"),
        "ymd": translatable("a date: year, month, day"),
        "dmy": translatable("a date: day, month, year"),
        "mdy": translatable("a date: month, day, year"),
        "serial": translatable("a day as Excel counts it, like 45371"),
    }[order]
    said = Sentence(date)
    match date_fault(text, order):
        case DateFault.FINE:
            return ""
        case DateFault.NO_SUCH_DAY:
            return Sentence(translatable("{date}; there is no such day"), date=said)
        case DateFault.YEAR:
            # Texts: a year has no comma in it.
            years = {"first": f"{FIRST_YEAR}", "last": f"{LAST_YEAR}"}
            wanted = translatable("{date}; the year from {first} to {last}")
            return Sentence(wanted, date=said, **years)
        case DateFault.WEEKDAY:
            wanted = translatable("{date}; it isn't the weekday that stands before it")
            return Sentence(wanted, date=said)
        case DateFault.WRITING:
            other_ways = " (`glean data import` reads other ways of writing it)"
            return date + other_ways if order == "iso" else said


def _name_problems(sheet: Sheet, column: str, name: str) -> list[Problem]:
    return _problems_by_text(sheet, column, partial(wanted_name, kind=name))


def _problems_by_text(sheet: Sheet, column: str, wanted_of: Callable[[str], str]) -> list[Problem]:
    """Problems of the cells in whose place something else is wanted, one kind after the other."""
    codes, distinct = distinct_of(sheet.cells[column])
    faults = [wanted_of(text) for text in distinct]
    problems = []
    for wanted in dict.fromkeys(filter(None, faults)):
        rows = np.flatnonzero(np.array([fault == wanted for fault in faults])[codes])
        problems += sheet.problems_at(rows, column, wanted)
    return problems


def _times(sheet: Sheet, column: str) -> tuple[Texts, list[Problem]]:
    times, fine = read_times(sheet.cells[column])
    wanted = Sentence(translatable("a time like 14:30, or nothing"))
    return times, sheet.problems_at(np.flatnonzero(~fine), column, wanted)


def _flags(
    sheet: Sheet, column: str, form: NumberFormat
) -> tuple[NDArray[np.float64], list[Problem]]:
    flags = read_flags(sheet.cells[column], form)
    wanted = Sentence(translatable("0 or 1, or yes or no"))
    return flags, sheet.problems_at(np.flatnonzero(np.isnan(flags)), column, wanted)


def _numbers(
    sheet: Sheet, column: str, form: NumberFormat, needed: bool
) -> tuple[NDArray[np.float64], list[Problem]]:
    numbers, faults = read_numbers(sheet.cells[column], form)
    wanted = _wanted_numbers(form, needed)
    problems = []
    for fault, words in wanted.items():
        problems += sheet.problems_at(np.flatnonzero(faults == fault), column, words)
    return numbers, problems + (_mixed_currencies(sheet, column) if form.lenient else [])


def _wanted_numbers(form: NumberFormat, needed: bool) -> dict[Fault, str]:
    """Say what is wanted in place of a text with each fault."""
    number = Sentence(
        translatable("a number with a decimal point, like 12.5")
        if form.decimal == "."
        else translatable("a number with a decimal comma, like 12,5")
    )
    finite = Sentence(translatable("a finite number"))
    wanted: dict[Fault, str] = {
        Fault.TEXT: number if needed else _or_nothing(number),
        Fault.DECIMAL_COMMA: Sentence(
            translatable("a decimal point, like 12.5 (the decimal mark told or detected)")
            if form.lenient
            else translatable("a decimal point, like 12.5 (`glean data import` reads commas)")
        ),
        Fault.NOT_FINITE: finite if needed else _or_nothing(finite),
        Fault.TOO_LARGE: Sentence(translatable("a number below a million million")),
    }
    if needed:
        empty = translatable(
            "a number; an open day without a sale has 0, "
            "a closed day has no line, nor has a day to come"
        )
        wanted[Fault.EMPTY] = Sentence(empty)
    return wanted


def _or_nothing(number: str) -> str:
    return Sentence(translatable("{number}, or nothing"), number=number)


def _mixed_currencies(sheet: Sheet, column: str) -> list[Problem]:
    codes, distinct = distinct_of(sheet.cells[column])
    signs = [currency_of(text) for text in distinct]
    first = next(filter(None, signs), "")
    others = np.array([sign not in ("", first) for sign in signs], dtype=bool)
    rows = np.flatnonzero(others[codes]) if others.any() else np.array([], dtype=np.intp)
    currency = translatable(
        "one currency in a column, {first} as above; export each currency by itself"
    )
    wanted = Sentence(currency, first=first)
    return sheet.problems_at(rows, column, wanted, most=FEW_SHOWN)
