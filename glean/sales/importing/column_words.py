"""How columns are called, and what their cells look like: days, numbers, hours.

Of each role the surest names come first: an item's description before its number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from glean.sales.reading.dates import DateFault, DateOrder, date_fault

DATE_WORDS = [
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
PRODUCT_WORDS = [
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
UNITS_WORDS = [
    "menge",
    "verkaufte_menge",
    "verkaufsmenge",
    "verkaufte_anzahl",
    "verkaufte_stück",
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
    "qty_sold",
    "pieces",
    "sold",
    "quantité",
    "qté",
]
BAKERY_WORDS = [
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
_ROLE_WORDS = frozenset((*DATE_WORDS, *PRODUCT_WORDS, *UNITS_WORDS, *BAKERY_WORDS))

FEWEST_HOURS = 3
"""So many columns named for hours are what was sold by the hour."""

_HOUR = re.compile(
    r"(\d{1,2})(?:[:.]\d{2}(?::\d{2})?)?(?:\s*(?:Uhr|h))?"
    r"(?:\s*[-\u2013]\s*\d{1,2}(?:[:.]\d{2})?(?:\s*(?:Uhr|h))?)?"
)
_BARE = re.compile(r"\d{1,4}", re.ASCII)
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
    return plain_name(name) in _ROLE_WORDS


def hour_columns(names: Sequence[str]) -> list[str]:
    """Columns that are named for the hours of a day, in order; none if they are few.

    Bare numbers from 1 on, or beyond 24, are days of a month or the like.

    Examples
    --------
    >>> hour_columns(["Name", "8", "9", "10", "11", "Summe"])
    ['8', '9', '10', '11']
    """
    bare = [int(name) for name in names if _BARE.fullmatch(name.strip())]
    if bare and (bare[0] == 1 or max(bare) > 24):
        return []
    found: list[str] = []
    latest = -1
    for name in names:
        match = _HOUR.fullmatch(name.strip())
        if match and latest <= int(match[1]) <= 24 and name not in found:
            found.append(name)
            latest = int(match[1])
    return found if len(found) >= FEWEST_HOURS else []


def hour_of(name: str) -> tuple[int, str]:
    """Sort hours as the day goes, by the number that their name begins with."""
    match = _HOUR.fullmatch(name.strip())
    return (int(match[1]) if match else 24, name)


def plain_name(name: str) -> str:
    """Write a column's name as the words have it: "Verkaufte Menge:" is "verkaufte_menge"."""
    return "_".join(re.findall(r"[^\W_]+", name.casefold()))
