"""Sheets of a workbook that are alike, and what was come across on them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from glean.sales.importing.kind_layout import DayPlace
from glean.sales.importing.request import Columns


@dataclass
class Tally:
    """What was come across on sheets that are alike.

    Parameters
    ----------
    sheets : list of str
        The sheets, as messages name them.
    headed : list of int
        Lines of the headers that stand on the sheets themselves.
    counts : Counter
        Lines that were left out, by what they are, and days that were filled in.
    totals : Counter
        How the total lines are called.
    """

    sheets: list[str] = field(default_factory=list)
    headed: list[int] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    totals: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class SheetKind:
    """Sheets with the same header, and what was found in the first of them.

    Parameters
    ----------
    names : tuple of str
        Their header.
    columns : Columns
        What is what; the date is `DAY` where no column has it.
    day : DayPlace
        Where the day stands.
    layout : str
        The layout that says so, "" for none.
    with_totals : bool
        Total lines count, as told.
    tally : Tally
        What was come across, on sheets that differ in hours too.
    """

    names: tuple[str, ...]
    columns: Columns
    day: DayPlace
    layout: str = ""
    with_totals: bool = False
    tally: Tally = field(default_factory=Tally)

    def is_like(self, other: SheetKind) -> bool:
        """Whether another kind differs in its hours only, as opening hours do."""
        return self._without_hours() == other._without_hours()

    def _without_hours(self) -> tuple[object, ...]:
        names = tuple(name for name in self.names if name not in self.columns.hours)
        return names, replace(self.columns, hours=()), self.day
