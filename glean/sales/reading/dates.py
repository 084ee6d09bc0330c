"""Texts become days: in numbers, with the month's name, with a weekday before, or Excel's serials.

Each distinct text is looked at once. A time after the day is split off and left to whoever wants
it. Names are German, English and French; a weekday that isn't the day's own is a fault.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from enum import Enum
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.sales.reading.sheet import Texts, texts_of
from glean.sales.reading.values import distinct_of

DateOrder = Literal["iso", "dmy", "mdy", "ymd", "serial"]
"""How a date is written: "iso" is strictly 2019-07-01, "serial" is Excel's count of days; the
others allow ".", "-", "/", the month's name, a weekday before and a time behind."""

FIRST_YEAR, LAST_YEAR = 1970, 2100
"""Dates outside are slips of the keyboard."""

EXCELS_DAY_0 = dt.date(1899, 12, 30)
"""Excel counts from here, so that its days after February 1900 (which had no 29th) are right."""

_WHOLE = ("iso", "serial")
"""Orders in which no time stands behind the day."""

_LETTERS = {"iso": "ymd", "ymd": "ymd", "dmy": "dmy", "mdy": "mdy"}
_MONTH_WORDS = (
    "jan januar january janvier janv janner",
    "feb februar february fevrier fevr fev feber",
    "mar marz maerz march mars mrz",
    "apr april avril avr",
    "mai may",
    "jun juni june juin",
    "jul juli july juillet juil",
    "aug august aout",
    "sep sept september septembre",
    "okt oct oktober october octobre",
    "nov november novembre",
    "dez dec dezember december decembre",
)
_MONTHS = {word: m for m, words in enumerate(_MONTH_WORDS, 1) for word in words.split()}
_WEEKDAY_WORDS = (
    "mo mon montag monday lun lundi",
    "di die tue tues dienstag tuesday mar mardi",
    "mi mit wed mittwoch wednesday mer mercredi",
    "do don thu thur thurs donnerstag thursday jeu jeudi",
    "fr fri fre freitag friday ven vendredi",
    "sa sam sat samstag sonnabend saturday samedi",
    "so son sun sonntag sunday dim dimanche",
)
_WEEKDAYS = {word: day for day, words in enumerate(_WEEKDAY_WORDS) for word in words.split()}

_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_COMPACT_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_ANY_DATE = re.compile(r"(\d{1,4})\s?([./-])\s?(\d{1,2})\s?\2\s?(\d{1,4})", re.ASCII)
_SERIAL_DAY = re.compile(r"(\d{5})(?:[.,](\d+))?", re.ASCII)
_NAME_BETWEEN = re.compile(r"(\d{1,4})(?:st|nd|rd|th|er)?[.\s/-]+([^\W\d_]+)[.,\s/-]+(\d{1,4})")
_NAME_FIRST = re.compile(r"([^\W\d_]+)[.\s/-]+(\d{1,2})(?:st|nd|rd|th)?[,\s/-]+(\d{2,4})")
_WEEKDAY_FIRST = re.compile(r"([^\W\d_]+)[.,]*\s*(?=\S)")
_WITH_TIME = re.compile(r"(.*?\d)(?:T|,?\s+(?:(?:-|um|at|à)\s+)?)(\d{1,2}[:h.]\d{2}(?!\d).*)")


class DateFault(Enum):
    """Why a text isn't the date that was wanted."""

    FINE = "fine"
    WRITING = "writing"
    NO_SUCH_DAY = "no such day"
    YEAR = "year"
    WEEKDAY = "weekday"


class _Written(NamedTuple):
    """A day as it stands there.

    Parameters
    ----------
    parts : tuple of str
        The three numbers, in the order of the text; () where it isn't a date in numbers.
    named : tuple of int or None
        Year, month and day, where the month has its name.
    weekday : int or None
        The weekday before it, 0 is Monday.
    """

    parts: tuple[str, ...] = ()
    named: tuple[int, int, int] | None = None
    weekday: int | None = None


def read_dates(texts: Texts, order: DateOrder = "iso") -> NDArray[np.datetime64]:
    """Read days of a column as datetime64[us] at midnight, NaT where a text isn't such a date."""
    codes, distinct = distinct_of(texts)
    if order not in _WHOLE:  # stamps of a till are many, their days are few
        of_stamp, distinct = distinct_of(texts_of([split_time(text)[0] for text in distinct]))
        codes = of_stamp[codes] if len(of_stamp) else codes
    days = [_day_of(text.strip(), order) for text in distinct]
    found = np.array(days or [None], dtype="datetime64[us]")
    return found[codes]


def exchanged(days: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """Exchange day and month of the days on which both can be either, up to the 12th."""
    index = pd.DatetimeIndex(days)
    either = np.asarray(index.day <= 12)
    parts = {"year": index.year[either], "month": index.day[either], "day": index.month[either]}
    swapped = days.copy()
    swapped[either] = pd.to_datetime(pd.DataFrame(parts)).to_numpy(dtype=days.dtype)
    return swapped


def date_fault(text: str, order: DateOrder = "iso") -> DateFault:
    """Say why a text isn't a date of this order."""
    text = text.strip()
    parts = _date_parts(text, order)
    if parts is None:
        return DateFault.WRITING
    if not FIRST_YEAR <= parts[0] <= LAST_YEAR:
        return DateFault.YEAR
    if _day(parts) is None:
        return DateFault.NO_SUCH_DAY
    return DateFault.WEEKDAY if _day_of(text, order) is None else DateFault.FINE


def has_month_name(text: str) -> bool:
    """Whether a date's month is written as a name, so that no order of numbers is needed."""
    return _written(split_time(text.strip())[0]).named is not None


@lru_cache(maxsize=1 << 18)
def split_time(text: str) -> tuple[str, str]:
    """Split a stamp into its day and its time ("" without one).

    Examples
    --------
    >>> split_time("3/20/2024, 7:15:00 AM")
    ('3/20/2024', '7:15:00 AM')
    """
    text = text.strip()
    match = _WITH_TIME.fullmatch(text)
    return (match[1], match[2]) if match else (text, "")


def _day_of(text: str, order: DateOrder) -> dt.date | None:
    day = _day(_date_parts(text, order))
    if day is None or order in _WHOLE:
        return day
    weekday = _written(split_time(text)[0]).weekday
    return day if weekday in (None, day.weekday()) else None


def _date_parts(text: str, order: DateOrder) -> tuple[int, int, int] | None:
    """Year, month and day of a text that is written as a date of this order."""
    if order == "iso":
        match = _ISO_DATE.fullmatch(text)
        return (int(match[1]), int(match[2]), int(match[3])) if match else None
    if order == "serial":
        match = _SERIAL_DAY.fullmatch(text)
        day = EXCELS_DAY_0 + dt.timedelta(days=int(match[1])) if match else None
        return (day.year, day.month, day.day) if day else None
    written = _written(split_time(text)[0])
    if written.named:
        return written.named
    compact = _COMPACT_DATE.fullmatch(split_time(text)[0]) if order == "ymd" else None
    parts = compact.groups() if compact else written.parts
    if not parts:
        return None
    # A day like 2024-03-04 is no other in any order; workbooks hold days so among texts.
    letters = "ymd" if len(parts[0]) == 4 and "-" in text else _LETTERS[order]
    places = dict(zip(letters, parts, strict=True))
    if len(places["y"]) not in (2, 4) or max(len(places["m"]), len(places["d"])) > 2:
        return None
    return _year(places["y"]), int(places["m"]), int(places["d"])


@lru_cache(maxsize=1 << 16)
def _written(text: str) -> _Written:
    """Take a day without its time apart, and a weekday off that stands before it."""
    bare = _bare_day(text)
    if bare != _Written():
        return bare
    match = _WEEKDAY_FIRST.match(text)
    weekday = _WEEKDAYS.get(_plain(match[1])) if match else None
    if match is None or weekday is None:
        return bare
    bare = _bare_day(text[match.end() :])
    return bare._replace(weekday=weekday) if bare != _Written() else bare


def _bare_day(text: str) -> _Written:
    if match := _ANY_DATE.fullmatch(text):
        return _Written(match.group(1, 3, 4))
    if match := _NAME_BETWEEN.fullmatch(text):
        first, name, last = match.groups()
    elif match := _NAME_FIRST.fullmatch(text):
        name, first, last = match.groups()
    else:
        return _Written()
    year, day = (first, last) if len(first) == 4 else (last, first)
    month = _MONTHS.get(_plain(name))
    if month is None or len(year) not in (2, 4) or len(day) > 2:
        return _Written()
    return _Written(named=(_year(year), month, int(day)))


def _year(text: str) -> int:
    return int(text) + (2000 if len(text) == 2 else 0)


def _plain(name: str) -> str:
    """Lower case without accents: "März" is "marz"."""
    parts = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


def _day(parts: tuple[int, int, int] | None) -> dt.date | None:
    if parts is None or not FIRST_YEAR <= parts[0] <= LAST_YEAR:
        return None
    try:
        return dt.date(*parts)
    except ValueError:
        return None
