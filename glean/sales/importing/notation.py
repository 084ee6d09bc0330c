"""How an export writes its numbers and dates, found out from the cells or else asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from glean.errors import Problem, SalesError, SettingsError
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


def detect_decimal(sheet: Sheet, columns: Sequence[str], *, options: str = "--") -> str:
    """Find the decimal mark of the numbers in some columns.

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
    str
        "." or ","; "." where no number has a mark.

    Raises
    ------
    SalesError
        Every mark could be one of thousands.
    """
    distinct = {bare_number(text) for name in columns for text in distinct_of(sheet.cells[name])[1]}
    either = {text for text in distinct if _EITHER.fullmatch(text)}
    points = sum(bool(_POINT.fullmatch(text)) for text in distinct - either)
    commas = sum(bool(_COMMA.fullmatch(text)) for text in distinct - either)
    if either and points == commas == 0:
        found = f"numbers like {min(either)}, a thousand or a bit more than one"
        wanted = f"the decimal mark told by {options}decimal . or {options}decimal ,"
        raise SalesError([Problem(sheet.source, None, ", ".join(columns), found, wanted)])
    return "," if commas > points else "."


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
    doubtful = texts[read[best[0]] != read[best[1]]]
    if not len(doubtful):
        return best[0]
    found = f"dates like {doubtful[0]}, which may be {_both(str(doubtful[0]), best)}"
    wanted = "the order told by " + " or ".join(f"{options}date-order {order}" for order in best)
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
