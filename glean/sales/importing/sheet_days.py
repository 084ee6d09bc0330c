"""The day of each line of a sheet: in a column, on a line of its own, or in the sheet's name.

A day that stands once, above its lines or on the first of them, goes for those below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from glean.errors import Problem, SalesError
from glean.languages.catalogues import translatable
from glean.languages.sentences import Sentence
from glean.sales.importing.column_words import is_day, is_number

DAY = "(day)"
"""Column of the days that stand in no column; in brackets, so that no file has it."""

_IN_TEXT = re.compile(
    r"(?<!\d)(?:"
    r"\d{1,4}\s?([./-])\s?\d{1,2}\s?\1\s?\d{2,4}"
    r"|\d{1,2}(?:\.|st|nd|rd|th)?\s+[^\W\d_]+\.?,?\s+\d{4}"
    r"|[^\W\d_]+\s+\d{1,2},?\s+\d{4}"
    r")(?!\d)"
)
_OF_PRINTING = re.compile(
    r"druck|erstellt|erzeugt|export|stand\b|print|created|generated|imprim", re.IGNORECASE
)


def day_in(text: str) -> str:
    """Find the one day that a text is or has in it; "" for none, several, or that of its printing.

    Examples
    --------
    >>> day_in("Sales of Monday, 4.3.2024"), day_in("1.3.2024 to 31.3.2024")
    ('4.3.2024', '')
    """
    text = text.strip()
    if is_day(text):
        return text
    found = {match[0] for match in _IN_TEXT.finditer(text) if is_day(match[0])}
    return found.pop() if len(found) == 1 and not _OF_PRINTING.search(text) else ""


def day_of_line(cells: Sequence[str]) -> str:
    """Find the day of a line that has nothing else to say than a day: no number, and few words."""
    texts = [text for text in cells if text.strip()]
    if not 0 < len(texts) <= 3 or _OF_PRINTING.search(" ".join(texts)):
        return ""
    days = [day for text in texts if (day := day_in(text))]
    others = [text for text in texts if not day_in(text)]
    if len(set(days)) != 1 or any(is_number(text) or _IN_TEXT.search(text) for text in others):
        return ""
    return days[0]


def days_from_lines(rows: Sequence[Sequence[str]], first: int, source: str) -> list[str]:
    """Find the day that each line of a sheet belongs to, by the lines that tell one.

    Parameters
    ----------
    rows : sequence of sequence of str
        All lines of the sheet.
    first : int
        The first below the header.
    source : str
        The sheet, for messages.

    Returns
    -------
    list of str
        One for each line; "" where none is told. A day that is told once goes for all lines.

    Raises
    ------
    SalesError
        Two days are told above the same lines.
    """
    told = [
        day_of_line(cells) if row < first or sum(map(bool, cells)) <= 2 else ""
        for row, cells in enumerate(rows)
    ]
    above = dict.fromkeys(day for day in told[:first] if day)
    if len(above) > 1:
        *days, last = above
        found = Sentence(
            translatable("the days {days} and {last} above the table"),
            days=", ".join(days),
            last=last,
        )
        wanted = Sentence(translatable("one, or a column of days"))
        raise SalesError([Problem(source, None, "", found, wanted)])
    once = {day for day in told if day}
    if len(once) == 1:
        return [once.pop()] * len(rows)
    return list(_carried_on(told))


def filled_down(days: Sequence[str]) -> list[str]:
    """Days of a column in which each stands on the first of its lines only.

    A column that has the same day on two lines in a row stays as it is: an empty cell is one that
    was forgotten there. A day that stands once goes for the lines above it too.
    """
    told = [day for day in days if day.strip()]
    if len(told) == 1:
        return told * len(days)
    if any(day.strip() and day == following for day, following in pairwise(days)):
        return list(days)
    return list(_carried_on(days))


def _carried_on(days: Sequence[str]) -> Iterator[str]:
    latest = ""
    for day in days:
        latest = day if day.strip() else latest
        yield latest
