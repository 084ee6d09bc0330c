"""How an export writes its numbers and dates, found out from the cells or else asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from glean.errors import Problem, SalesError, SettingsError
from glean.languages.catalogues import translatable
from glean.languages.sentences import Sentence
from glean.sales.reading.dates import DateOrder, read_dates, split_time
from glean.sales.reading.sheet import Sheet, Texts
from glean.sales.reading.values import bare_number, distinct_of

DATE_ORDERS: tuple[DateOrder, ...] = ("dmy", "mdy", "ymd", "serial")
DATE_ORDER_NAMES = {
    "dmy": "day, month, year",
    "mdy": "month, day, year",
    "ymd": "year, month, day",
    "serial": "days as Excel counts them",
}
DECIMAL_NAMES = {".": "point", ",": "comma"}

_POINT = re.compile(r"[+-]?((\d{1,3}(,\d{3})+|\d*)\.\d*|\d{1,3}(,\d{3}){2,})", re.ASCII)
_COMMA = re.compile(r"[+-]?((\d{1,3}(\.\d{3})+|\d*),\d*|\d{1,3}(\.\d{3}){2,})", re.ASCII)
# 1.234 and 1,234 may be a thousand or a bit more than one.
_EITHER = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)


def detect_decimals(sheet: Sheet, columns: Sequence[str], *, options: str = "--") -> dict[str, str]:
    """Find the decimal mark of the numbers in each of some columns.

    A column in which every mark could be one of thousands is read by the mark of the others, if
    they agree and its own numbers do not speak against it.

    Parameters
    ----------
    sheet : Sheet
        Where they stand.
    columns : sequence of str
        Columns of numbers.
    options : str
        How the option begins that tells the mark, for the message.

    Returns
    -------
    dict of str to str
        Column -> "." or ","; "." where no number has a mark.

    Raises
    ------
    SalesError
        A column leaves it open, with each that does.
    """
    numbers = {
        name: {bare_number(text) for text in distinct_of(sheet.cells[name])[1]} for name in columns
    }
    clear = clear_marks(sheet, columns)
    shared = next(iter(clear.values()), "") if len(set(clear.values())) == 1 else ""
    found: dict[str, str] = {}
    problems = []
    for name in columns:
        either = {text for text in numbers[name] if _EITHER.fullmatch(text)}
        if name in clear:
            found[name] = clear[name]
        elif not either:
            found[name] = shared or "."
        elif shared and _goes_with(numbers[name], either, shared):
            found[name] = shared
        else:
            problems.append(_open_mark(sheet, name, min(either), options, len(columns) > 1))
    if problems:
        raise SalesError(problems)
    return found


def clear_marks(sheet: Sheet, columns: Sequence[str]) -> dict[str, str]:
    """Find the decimal mark of the columns in which a number has only one reading."""
    marks = {}
    for name in columns:
        numbers = {bare_number(text) for text in distinct_of(sheet.cells[name])[1]}
        if mark := _clear_mark(numbers):
            marks[name] = mark
    return marks


def _clear_mark(numbers: set[str]) -> str:
    """Mark of a column by the numbers that have only one reading; "" where there are none."""
    clear = [text for text in numbers if not _EITHER.fullmatch(text)]
    points = sum(bool(_POINT.fullmatch(text)) for text in clear)
    commas = sum(bool(_COMMA.fullmatch(text)) for text in clear)
    return ("," if commas > points else ".") if points or commas else ""


def _goes_with(numbers: set[str], either: set[str], mark: str) -> bool:
    """Whether numbers like 1.234 agree with the mark that the other columns have.

    With the same mark they do. With the other one they are thousands, which only is sure beside
    whole numbers below a thousand, and none above that isn't grouped.
    """
    if all(mark in text for text in either):
        return True
    whole = [text.lstrip("+-") for text in numbers if text.lstrip("+-").isdecimal()]
    grouped = not any(mark in text for text in either)
    return grouped and bool(whole) and all(len(text) < 4 for text in whole)


def _open_mark(sheet: Sheet, column: str, example: str, options: str, several: bool) -> Problem:
    thousands = example.replace(".", "").replace(",", "")
    found = Sentence(
        translatable("numbers like {example}, which may be {thousands} or have three decimals"),
        example=example,
        thousands=thousands,
    )
    told = f"{options}decimal {column}=" if several else f"{options}decimal "
    mark = translatable("the decimal mark told by {told}. or {told},")
    return Problem(sheet.source, None, column, found, Sentence(mark, told=told))


def detect_date_order(sheet: Sheet, column: str, *, options: str = "--") -> DateOrder:
    """Find the order of day, month and year in a column.

    Parameters
    ----------
    sheet : Sheet
        Where it stands.
    column : str
        Column of dates.
    options : str
        How the option begins that tells the order, for the message.

    Returns
    -------
    str
        The order by which most of the texts are dates. Dates with full stops are day first.

    Raises
    ------
    SalesError
        Two orders read the column equally well and differently.
    """
    texts = np.array(distinct_of(sheet.cells[column])[1], dtype=object)
    read = {order: read_dates(texts, order) for order in DATE_ORDERS}
    fine = {order: int((~np.isnat(days)).sum()) for order, days in read.items()}
    most = max(fine.values(), default=0)
    if most == 0:
        return "ymd"
    best = [order for order in DATE_ORDERS if fine[order] == most]
    if len(best) == 1 or _mostly_full_stops(texts):
        return best[0]
    one, other = read[best[0]], read[best[1]]
    doubtful = texts[(one != other) & ~(np.isnat(one) & np.isnat(other))]
    if not len(doubtful):
        return "ymd" if "ymd" in best else best[0]
    found = Sentence(
        translatable("dates like {example}, which may be {meanings}"),
        example=f"{doubtful[0]}",
        meanings=_both(str(doubtful[0]), best),
    )
    wanted = Sentence(
        translatable("the order told by {options}"),
        options=" or ".join(f"{options}date-order {order}" for order in best),
    )
    raise SalesError([Problem(sheet.source, None, column, found, wanted)])


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Refuse a choice that there isn't.

    Raises
    ------
    SettingsError
        `value` isn't one of `choices`.
    """
    if value not in choices:
        wanted = ", ".join(repr(choice) for choice in choices)
        raise SettingsError(f"{name}: found {value!r}; wanted one of {wanted}")


def _mostly_full_stops(texts: Texts) -> bool:
    return sum("." in split_time(text.strip())[0] for text in texts) * 2 > len(texts)


def _both(text: str, orders: Sequence[DateOrder]) -> str:
    texts = np.array([text], dtype=object)
    days = (read_dates(texts, order)[0] for order in orders)
    return " or ".join(str(day)[:10] for day in days)
