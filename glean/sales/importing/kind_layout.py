"""What sheets of a kind are like, and whether those of a later export are like it too."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from glean.errors import Problem, SalesError
from glean.sales.importing.column_words import hour_columns, is_role_word

DayPlace = Literal["column", "line", "sheet name"]
"""Where the day of a line stands: in a column, on a line of its own, in the name of its sheet."""

DAY_PLACES: tuple[DayPlace, ...] = ("column", "line", "sheet name")


@dataclass(frozen=True)
class KindLayout:
    """What sheets, or files, of a kind are like.

    Parameters
    ----------
    header : tuple of str
        Names of all columns.
    day : DayPlace
        Where the day stands.
    date, bakery, product, units : str
        Columns; "" where there is none.
    hours : bool
        Columns of hours say what was sold.
    """

    header: tuple[str, ...]
    day: DayPlace = "column"
    date: str = ""
    bakery: str = ""
    product: str = ""
    units: str = ""
    hours: bool = False

    def lacking(self, names: Sequence[str]) -> list[str]:
        """Say which of the columns that are used aren't among these names."""
        used = (self.date, self.bakery, self.product, self.units)
        found = [repr(name) for name in used if name and name not in names]
        return found + (["columns of hours"] if self.hours and not hour_columns(names) else [])


def fitting_kind(
    kinds: Sequence[KindLayout], names: Sequence[str], *, source: str, layout: str
) -> KindLayout:
    """Find the kind that a sheet is of.

    Parameters
    ----------
    kinds : sequence of KindLayout
        Those of the layout, at least one.
    names : sequence of str
        The columns of the sheet.
    source, layout : str
        The sheet and the layout, for messages.

    Raises
    ------
    SalesError
        It is of none, with what differs from the one that it is most like.
    """
    nearest = min(kinds, key=lambda kind: (len(kind.lacking(names)), _unlike(kind.header, names)))
    found = "the columns " + ", ".join(list(names)[:20])
    if lacking := nearest.lacking(names):
        wanted = f"{' and '.join(lacking)}, as in the layout {layout}"
        raise SalesError([Problem(source, None, "", found, wanted)])
    further = [name for name in names if name not in nearest.header and is_role_word(name)]
    if further:
        found = f"a further column {further[0]!r}"
        known = ", ".join(nearest.header)
        wanted = f"the columns of the layout {layout} ({known}); make the layout anew"
        raise SalesError([Problem(source, None, further[0], found, wanted)])
    return nearest


def _unlike(header: Collection[str], names: Collection[str]) -> int:
    return len(set(header) ^ set(names))
