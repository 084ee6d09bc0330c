"""What an import says of the times in its stamps, and which day each is counted for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from glean.errors import Problem, SalesError
from glean.sales.importing.exports import Note
from glean.sales.reading.checks import Forms
from glean.sales.reading.clock import Clock, Times, read_stamp_times, spoken_time
from glean.sales.reading.sheet import Sheet

SMALL_HOURS = 4 * 60
"""Until so many minutes after midnight an evening may last."""

LATE_SHARE = 0.02
"""From this share of the stamps on, sales in the small hours are named."""


def settle_clock(sheet: Sheet, column: str, forms: Forms, clock: Clock) -> tuple[Forms, list[Note]]:
    """Let stamps be counted for the days that `clock` says, or name what may be wrong without it.

    Raises
    ------
    SalesError
        There are no times in the column.
    """
    times = read_stamp_times(sheet.cells[column])
    timed = ~np.isnan(times.minutes)
    if not clock.is_set:
        return forms, _hints(sheet, column, times, timed)
    if not timed.any():
        wanted = "days with times in one column, which --timezone and --day-starts go by"
        raise SalesError([Problem(sheet.source, None, column, "no times of day", wanted)])
    days = forms.days(sheet.cells[column])
    set_forms = replace(forms, clock=clock)
    moved = int((days != set_forms.days(sheet.cells[column]))[~np.isnat(days)].sum())
    words = [f"{moved:,} of {len(sheet):,} lines count for another day than their stamp has"]
    if clock.timezone:
        bare = int((timed & np.isnan(times.offsets)).sum())
        taken = f", {bare:,} stamps without a zone taken as UTC" if bare else ""
        words.append(f"local time of {clock.timezone}{taken}")
    if clock.day_starts:
        words.append(f"a day starts at {spoken_time(clock.day_starts)}")
    return set_forms, [("times", "; ".join(words))]


def _hints(sheet: Sheet, column: str, times: Times, timed: NDArray[np.bool_]) -> list[Note]:
    utc = np.flatnonzero(times.offsets == 0)
    if len(utc):
        example = sheet.cells[column][utc[0]]
        words = f"stamps like {example} are in UTC; --timezone Europe/Berlin makes them local days"
        return [("times", words)]
    late = timed & (times.minutes < SMALL_HOURS) & (times.minutes > 0)
    if not late.any() or late.mean() < LATE_SHARE:
        return []
    until = spoken_time(SMALL_HOURS)
    words = f"{int(late.sum()):,} lines are from after midnight; --day-starts {until} counts them"
    return [("times", f"{words} for the day before")]
