"""Days and months that a spreadsheet exchanged: up to the 12th only, where both can be either.

A spreadsheet that takes 4/3/2024 for 4 March, though 3 April was meant, can't take 4/13/2024 so.
The order of the file gives it away: as read it jumps by months, exchanged it runs on.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from glean.errors import Problem, SalesError
from glean.languages.catalogues import translatable
from glean.languages.sentences import Sentence
from glean.sales.importing.exports import Note
from glean.sales.reading.checks import Forms
from glean.sales.reading.dates import exchanged
from glean.sales.reading.sheet import Sheet

Days = NDArray[np.datetime64]

SWAPPED_DAYS = ("swap", "keep")
"""What can be done with days that seem exchanged."""

_JUMP_DAYS = 20
"""A step of more than this between neighbouring days of a file is a jump."""

_FEWEST_JUMPS = 6
"""Fewer jumps say nothing."""

_TIMES_FEWER = 5
"""Exchanged days have so many times fewer jumps if that is what they are."""


def settle_exchanged(
    sheet: Sheet, column: str, forms: Forms, choice: str
) -> tuple[Forms, list[Note]]:
    """Say whether days and months are to be exchanged; `choice` of `SWAPPED_DAYS` tells it.

    Raises
    ------
    SalesError
        They seem exchanged, and nobody said what to do.
    """
    if choice == "swap":
        notes = [("dates", "day and month exchanged up to the 12th (as told)")]
        return replace(forms, exchange=True), notes
    days = forms.days(sheet.cells[column])
    if choice == "keep" or not seem_exchanged(days):
        return forms, []
    swapped = exchanged(days)
    row = int(np.flatnonzero(~np.isnat(days) & (days != swapped))[0])
    example = sheet.cells[column][row]
    found = Sentence(
        translatable("{example} and others that jump by months in a file otherwise in order"),
        example=repr(example),
    )
    wanted = Sentence(
        translatable(
            "days in order, as they are with day and month exchanged up to the 12th ({example} is "
            "then {day}); exchange them by --swapped-days swap, or leave them by "
            "--swapped-days keep"
        ),
        example=example,
        day=str(swapped[row])[:10],
    )
    source = sheet.source_of(row)
    raise SalesError([Problem(source, int(sheet.lines[row]), column, found, wanted)])


def seem_exchanged(days: Days) -> bool:
    """Whether days, in the order of their file, jump about unless day and month are exchanged.

    Examples
    --------
    >>> days = np.arange("2024-03-01", "2024-04-20", dtype="datetime64[D]")
    >>> seem_exchanged(days), seem_exchanged(exchanged(days))
    (False, True)
    """
    known = days[~np.isnat(days)]
    as_read = _jumps(known)
    return as_read >= _FEWEST_JUMPS and as_read >= _TIMES_FEWER * _jumps(exchanged(known))


def _jumps(days: Days) -> int:
    steps = np.abs(np.diff(days.astype("datetime64[D]")).astype(np.int64))
    return int((steps > _JUMP_DAYS).sum())
