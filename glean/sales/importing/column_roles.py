"""Which column is the day, the product, what was sold: found by its name and what stands in it.

Only what a person doesn't tell is looked for, and what is found is shown.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from glean.errors import Problem, SalesError
from glean.sales.importing.request import Columns, ImportRequest
from glean.sales.reading.dates import DateFault, DateOrder, date_fault
from glean.sales.reading.sheet import Texts

_DATE_WORDS = [
    "datum",
    "date",
    "tag",
    "day",
    "verkaufsdatum",
    "buchungsdatum",
    "belegdatum",
    "rechnungsdatum",
    "bondatum",
    "geschäftstag",
    "verkaufstag",
    "geschäftsdatum",
    "business_date",
    "sales_date",
    "order_date",
    "jour",
]
_PRODUCT_WORDS = [
    "artikelbezeichnung",
    "artikelname",
    "artikeltext",
    "produktname",
    "produktbezeichnung",
    "product_name",
    "item_name",
    "bezeichnung",
    "name",
    "artikel",
    "produkt",
    "product",
    "item",
    "article",
    "désignation",
    "produit",
]
_UNITS_WORDS = [
    "menge",
    "verkaufte_menge",
    "verkaufsmenge",
    "anzahl",
    "stück",
    "stk",
    "stückzahl",
    "verkauft",
    "absatz",
    "quantity",
    "qty",
    "units",
    "units_sold",
    "quantity_sold",
    "pieces",
    "sold",
    "quantité",
    "qté",
]
_BAKERY_WORDS = [
    "filiale",
    "filialname",
    "filialbezeichnung",
    "bäckerei",
    "standort",
    "verkaufsstelle",
    "betriebsstätte",
    "bakery",
    "branch",
    "store",
    "shop",
    "location",
    "magasin",
]
_ROLE_WORDS = frozenset((*_DATE_WORDS, *_PRODUCT_WORDS, *_UNITS_WORDS, *_BAKERY_WORDS))

FEWEST_HOURS = 3
"""So many columns named for hours are what was sold by the hour."""

_LOOKED_AT = 500
"""Cells of a column that are looked at."""

_HOUR = re.compile(
    r"(\d{1,2})(?:[:.]\d{2}(?::\d{2})?)?(?:\s*(?:Uhr|h))?"
    r"(?:\s*[-\u2013]\s*\d{1,2}(?:[:.]\d{2})?(?:\s*(?:Uhr|h))?)?"
)
_NUMBER = re.compile(r"[+-]?\s?[\d.,'\u2019\s]*\d[\d.,'\u2019\s]*-?(?:e-?\d+)?\s?[%€$£]?")
_ORDERS: tuple[DateOrder, ...] = ("dmy", "mdy", "ymd")


def is_number(text: str) -> bool:
    """Whether a text is a number in any writing."""
    return bool(_NUMBER.fullmatch(text.strip()))


@lru_cache(maxsize=1 << 14)
def is_day(text: str) -> bool:
    """Whether a text is a day in any order."""
    return any(date_fault(text, order) == DateFault.FINE for order in _ORDERS)


def is_role_word(name: str) -> bool:
    """Whether a column is called what the day, the product or its number is usually called."""
    return _plain(name) in _ROLE_WORDS


def hour_columns(names: Sequence[str]) -> list[str]:
    """Columns that are named for the hours of a day, in order; none if they are few.

    Examples
    --------
    >>> hour_columns(["Name", "8", "9", "10", "11", "Summe"])
    ['8', '9', '10', '11']
    """
    found: list[str] = []
    latest = -1
    for name in names:
        match = _HOUR.fullmatch(name.strip())
        if match and latest <= int(match[1]) <= 24 and name not in found:
            found.append(name)
            latest = int(match[1])
    return found if len(found) >= FEWEST_HOURS else []


def find_roles(cells: Mapping[str, Texts], request: ImportRequest, source: str) -> Columns:
    """Find the columns that nobody named.

    Parameters
    ----------
    cells : mapping of str to array of str
        Column -> its texts.
    request : ImportRequest
        What is told already; if that is enough, nothing is looked for.
    source : str
        The file or sheet, for messages.

    Returns
    -------
    Columns
        With the roles that were found; "" where there is none.

    Raises
    ------
    SalesError
        Several columns could be the day, or what was sold.
    """
    found = request.columns
    if request.is_complete:
        return found
    looked_at = {name: _filled(texts) for name, texts in cells.items()}
    told = {*(column for _, column in found.named()), *request.products}
    free = [name for name in looked_at if name not in told]
    if not found.date:
        found = replace(found, date=_date_column(looked_at, free, source))
    if not (found.bakery or request.bakery_name):
        found = replace(found, bakery=_first_named(free, _BAKERY_WORDS))
    if request.wide:
        return found
    if not found.units:
        hours = tuple(hour_columns(free))
        units = "" if hours else _units_column(looked_at, free, source)
        found = replace(found, units=units, hours=hours)
    if not found.product:
        names = [n for n in free if not _mostly(is_number, looked_at[n]) and n != found.date]
        found = replace(found, product=_first_named(names, _PRODUCT_WORDS))
    return found


def _date_column(cells: Mapping[str, Sequence[str]], free: Collection[str], source: str) -> str:
    days = [name for name in free if _mostly(is_day, cells[name])]
    named = _first_named(days or free, _DATE_WORDS)
    if named or len(days) < 2:
        return named or "".join(days)
    wanted = f"one; name it by --date, like --date {days[0]!r}"
    found = f"{len(days)} columns of days, {', '.join(days)}"
    raise SalesError([Problem(source, None, "", found, wanted)])


def _units_column(cells: Mapping[str, Sequence[str]], free: Collection[str], source: str) -> str:
    numbers = [name for name in free if _mostly(is_number, cells[name])]
    named = [name for name in numbers or free if _plain(name) in _UNITS_WORDS]
    if len(named) < 2:
        return "".join(named)
    wanted = f"what was sold named by --units, like --units {named[0]!r}"
    raise SalesError([Problem(source, None, "", f"the columns {', '.join(named)}", wanted)])


def _first_named(names: Collection[str], words: Sequence[str]) -> str:
    """Find the column whose name stands first among the words; "" if there is none."""
    by_word = {_plain(name): name for name in reversed(list(names))}
    return next((by_word[word] for word in words if word in by_word), "")


def _filled(texts: Texts) -> list[str]:
    return [text.strip() for text in texts[:_LOOKED_AT] if text.strip()]


def _mostly(is_so: object, texts: Sequence[str]) -> bool:
    assert callable(is_so)
    return bool(texts) and sum(map(is_so, texts)) > 0.9 * len(texts)


def _plain(name: str) -> str:
    """Write a column's name as the words have it: "Verkaufte Menge:" is "verkaufte_menge"."""
    return "_".join(re.findall(r"[^\W_]+", name.casefold()))
