"""A grid: the cells of one sheet of a workbook as texts, before its header is found.

Numbers and days that the workbook holds as such are written so that no decimal mark and no order of
days has to be known to read them; whatever else stands there is text and stays as it is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

_EXACT_INTEGERS = 2**53

CellValue = str | bool | int | float | dt.date | dt.time | dt.timedelta
"""What a cell of a workbook can hold; "" where nothing stands."""


@dataclass(frozen=True)
class Grid:
    """Cells of one sheet, from its first line and column on.

    Parameters
    ----------
    workbook : str
        The file as the user named it.
    name : str
        The sheet's name.
    rows : list of list of str
        The lines, as long as their cells.
    merged : tuple of ((int, int), (int, int))
        First and last (line, column) of cells that are merged, from 0.
    """

    workbook: str
    name: str
    rows: list[list[str]]
    merged: tuple[tuple[tuple[int, int], tuple[int, int]], ...] = field(default=())

    @property
    def source(self) -> str:
        """The sheet as messages name it."""
        return f"{self.workbook}, sheet {self.name!r}"


def texts_of_cells(cells: Sequence[CellValue]) -> list[str]:
    """Write the cells of a line as texts.

    Examples
    --------
    >>> texts_of_cells(["Roll", 12.0, 0.45, dt.date(2024, 3, 4), dt.time(8), True, ""])
    ['Roll', '12', '45e-2', '2024-03-04', '08:00', '1', '']
    """
    return [cell if isinstance(cell, str) else _written(cell) for cell in cells]


def _written(value: bool | float | dt.date | dt.time | dt.timedelta) -> str:
    match value:
        case bool():
            return str(int(value))
        case int():
            return str(value)
        case float():
            return _number(value)
        case dt.datetime():
            midnight = value.time() == dt.time()
            return f"{value:%Y-%m-%d}" if midnight else f"{value:%Y-%m-%d %H:%M:%S}"
        case dt.date():
            return f"{value:%Y-%m-%d}"
        case dt.time():
            return f"{value:%H:%M:%S}" if value.second else f"{value:%H:%M}"
        case dt.timedelta():
            minutes, seconds = divmod(round(value.total_seconds()), 60)
            hours, minutes = divmod(minutes, 60)
            return f"{hours:02}:{minutes:02}" + (f":{seconds:02}" if seconds else "")


def _number(value: float) -> str:
    """Digits and a power of ten: neither 0.455 nor 0,455, of which one would be thousands."""
    if value.is_integer() and abs(value) < _EXACT_INTEGERS:
        return str(int(value))
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    return f"{'-' * sign}{''.join(map(str, digits))}e{exponent}"


def with_point(text: str) -> str:
    """Write a number as people do if it is written as a grid writes it; other texts stay.

    Examples
    --------
    >>> with_point("45e-2"), with_point("Roll")
    ('0.45', 'Roll')
    """
    digits, mark, power = text.partition("e-")
    if mark and power.isdecimal() and digits.removeprefix("-").isdecimal():
        return repr(float(text))
    return text
