"""Texts become numbers, flags and times (dates: see `dates`): a step between `sheet` and `checks`.

Each distinct text is looked at once, so a column of 250,000 cells takes as long as its distinct
values. Nothing is guessed: what isn't written as the format says comes back with a fault.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.sales.reading.sheet import Texts, texts_of

LARGEST = 1e12
"""Beyond this no sale, price or temperature is meant; squares of it are still exact enough."""

MISSING_WORDS = frozenset({"null", "na", "n/a", "nan", "none", "-", "\\n", "#n/v", "#n/a"})
"""What exports write where they know nothing, in lower case."""

_FLAG_WORDS = dict.fromkeys(("yes", "y", "ja", "j", "true", "wahr", "oui", "vrai", "x"), "1")
_FLAG_WORDS |= dict.fromkeys(("no", "n", "nein", "false", "falsch", "non", "faux"), "0")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_COMMA_NUMBER = re.compile(r"[+-]?\d[\d.]*,\d+", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(inf|infinity|nan)", re.IGNORECASE)
_GROUPED = {
    ".": re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII),
    ",": re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d+)?", re.ASCII),
}
# A blank (plain, no-break, thin or narrow no-break) or an apostrophe between thousands.
_SPACED = re.compile(
    r"[+-]?\d{1,3}([ \u00a0\u2009\u202f'\u2019])\d{3}(\1\d{3})*([.,]\d*)?", re.ASCII
)
_CURRENCIES = {"eur": "\u20ac", "euro": "\u20ac", "usd": "$", "gbp": "\u00a3", "jpy": "\u00a5"}
_CURRENCIES |= {"fr": "chf", "fr.": "chf", "z\u0142": "pln", "k\u010d": "czk", "ft": "huf"}
_SIGNS: tuple[str, ...] = (
    "\u20ac",
    "$",
    "\u00a3",
    "\u00a5",
    "kr",
    "kr.",
    "chf",
    "sek",
    "nok",
    "dkk",
    "pln",
    "czk",
)
_SIGNS += ("huf", "cad", "aud", *_CURRENCIES)
_SIGN = "|".join(map(re.escape, sorted(_SIGNS, key=len, reverse=True)))
_SIGNED = re.compile(
    rf"\s*(?P<before>(?:{_SIGN})(?![^\W\d_]))?\s*(?P<bare>.*?)\s*"
    rf"(?P<behind>(?<![^\W\d_])(?:{_SIGN}))?\s*",
    re.IGNORECASE | re.DOTALL,
)
_NEGATIVES = tuple(map(re.compile, (r"\(([^-+]+)\)", r"([^-+]*\d[^-+]*)-", r"-([^-+]*\d[^-+]*)")))
_TIME = re.compile(r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?", re.ASCII)


class Fault(IntEnum):
    """Why a text isn't the value that was wanted."""

    FINE = 0
    EMPTY = 1
    TEXT = 2
    DECIMAL_COMMA = 3
    NOT_FINITE = 4
    TOO_LARGE = 5


@dataclass(frozen=True)
class NumberFormat:
    """How numbers are written.

    Parameters
    ----------
    decimal : str
        Decimal mark, "." or ",".
    lenient : bool
        Allow thousands marks (the other of the two, a blank, an apostrophe), a currency
        at either end, a minus behind or brackets for what is negative, and words for a missing
        value like NULL.
    """

    decimal: str = "."
    lenient: bool = False


STRICT = NumberFormat()
"""Numbers as the format of sales tables has them."""


def read_numbers(
    texts: Texts, form: NumberFormat = STRICT
) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """Read numbers of a column, NaN where there is a fault, and the `Fault` of each."""
    codes, distinct = distinct_of(texts)
    parsed = [_number(text.strip(), form) for text in distinct]
    numbers = np.array([number for number, _ in parsed] or [np.nan])
    faults = np.array([fault for _, fault in parsed] or [Fault.FINE], dtype=np.int8)
    return numbers[codes], faults[codes]


def bare_number(text: str) -> str:
    """Take what people add off a number: a sign of currency, blanks between thousands.

    A minus behind the number, before its sign of currency or in place of both brackets comes first.

    Examples
    --------
    >>> [bare_number(text) for text in ("1 000,5 €", "-$1.00", "($2.50)", "1,00-")]
    ['1000,5', '-1.00', '-2.50', '-1,00']
    """
    text = _unsigned(text.strip().replace("\u2212", "-"))
    for pattern in _NEGATIVES:
        if match := pattern.fullmatch(text):
            text = "-" + _unsigned(match[1])
            break
    spaced = _SPACED.fullmatch(text)
    return text.replace(spaced[1], "") if spaced else text


def currency_of(text: str) -> str:
    """Currency in a text by its sign or code at either end, "" for none.

    Examples
    --------
    >>> [currency_of(text) for text in ("(12,50 EUR)", "$3", "CHF 4.20", "5")]
    ['\u20ac', '$', 'chf', '']
    """
    inside = text.strip().strip("()+-\u2212 ")
    signed = _SIGNED.fullmatch(inside)
    sign = ((signed["before"] or signed["behind"] or "") if signed else "").casefold()
    return _CURRENCIES.get(sign, sign.rstrip("."))


def _unsigned(text: str) -> str:
    signed = _SIGNED.fullmatch(text)
    return signed["bare"] if signed else text.strip()


def _number(text: str, form: NumberFormat) -> tuple[float, Fault]:
    text = bare_number(text) if form.lenient else text
    if not text or (form.lenient and text.lower() in MISSING_WORDS):
        return np.nan, Fault.EMPTY
    plain = _with_point(text, form)
    if _NUMBER.fullmatch(plain):
        number = float(plain) + 0.0  # -0.0 becomes 0.0
        return (number, Fault.FINE) if abs(number) <= LARGEST else (np.nan, Fault.TOO_LARGE)
    if _NOT_FINITE.fullmatch(text):
        return np.nan, Fault.NOT_FINITE
    has_comma = form.decimal == "." and _COMMA_NUMBER.fullmatch(text)
    return np.nan, Fault.DECIMAL_COMMA if has_comma else Fault.TEXT


def _with_point(text: str, form: NumberFormat) -> str:
    if form.lenient and _GROUPED[form.decimal].fullmatch(text):
        text = text.replace("," if form.decimal == "." else ".", "")
    if form.decimal == ",":
        return text.replace(",", ".") if "." not in text else ""
    return text


def read_flags(texts: Texts, form: NumberFormat = STRICT) -> NDArray[np.float64]:
    """Read flags of a column as 0.0 or 1.0, NaN where a text is neither.

    Words for yes and no are read too; in a lenient form what is empty is 0.
    """
    codes, distinct = distinct_of(texts)
    distinct = [_FLAG_WORDS.get(text.strip().lower(), text) for text in distinct]
    numbers, faults = read_numbers(texts_of(distinct), form)
    if form.lenient:
        numbers = np.where(faults == Fault.EMPTY, 0.0, numbers)
    flags = np.where((numbers == 0) | (numbers == 1), numbers, np.nan)
    return flags[codes]


def read_times(texts: Texts) -> tuple[Texts, NDArray[np.bool_]]:
    """Read times of a column as "09:30" or "09:30:15" or "", and whether each is well written."""
    codes, distinct = distinct_of(texts)
    times = [text.strip() for text in distinct]
    fine = np.array([not time or bool(_TIME.fullmatch(time)) for time in times] or [True])
    padded = texts_of([time.zfill(len(time) + 1) if time[1:2] == ":" else time for time in times])
    return (padded[codes] if len(times) else texts), fine[codes]


def distinct_of(texts: Texts) -> tuple[NDArray[np.intp], list[str]]:
    """Position of each text among the distinct ones, and those in order of appearance."""
    codes, distinct = pd.factorize(texts)
    return codes, list(distinct)
