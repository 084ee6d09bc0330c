"""Lines that add others up, by how they are called."""

from __future__ import annotations

import re
from collections.abc import Sequence

from glean.sales.importing.column_words import is_day, is_number

_TOTAL = re.compile(
    r"\W*(?:(?:umsatz|menge|artikel|filiale|tag|woche|monat)\s+)?(?:gesamt|summe|gesamtsumme|tagessumme|zwischensumme|endsumme|monatssumme|wochensumme|"
    r"total|totals|subtotal|grand\s+total|sum|somme|sous-total|tagesumsatz|gesamtumsatz)\b"
    r"(?:\W|\d|\b(?:tag|tages|day|monat|month|woche|week|netto|brutto|net|gross|umsatz|menge|"
    r"euro?|stück|stk|für|vom|of|for|pro|aller|artikel)\b)*",
    re.IGNORECASE,
)


def is_total(text: str) -> bool:
    """Whether a text says that its line adds others up.

    Examples
    --------
    >>> is_total("Summe 4.3.2024:"), is_total("Total Croissants")
    (True, False)
    """
    return bool(text) and bool(_TOTAL.fullmatch(text.strip()))


def total_of(cells: Sequence[str], product: str = "") -> str:
    """Find what a total line is called, at its start or in place of a product; "" if it's none."""
    words = (text for text in cells if text.strip() and not (is_number(text) or is_day(text)))
    return next((text for text in (next(words, ""), product) if is_total(text)), "")


def label_of(text: str) -> str:
    """First word of what a total line is called."""
    return " ".join(re.findall(r"[^\W\d_]+", text)[:1])
