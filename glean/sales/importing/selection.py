"""Which days, products and bakeries of an export go into the sales table."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.errors import SettingsError
from glean.sales.importing.exports import Note

MOST_NAMED = 5
"""Products that a note lists."""


@dataclass(frozen=True)
class Selection:
    """What is kept.

    Parameters
    ----------
    since, until : date or None
        First and last day.
    min_days : int
        Bakeries with fewer trading days (days with a row) are left out.
    first : int
        Only so many bakeries, in text order, after `min_days`; 0 for all.
    min_units_a_day : float
        Products that a bakery sells fewer of on the mean of their days are left out there.

    Raises
    ------
    SettingsError
        `since` is after `until`, or a number is negative.
    """

    since: dt.date | None = None
    until: dt.date | None = None
    min_days: int = 0
    first: int = 0
    min_units_a_day: float = 0.0

    def __post_init__(self) -> None:
        if self.since and self.until and self.since > self.until:
            raise SettingsError(f"--since {self.since} is after --until {self.until}")
        for name, value in (
            ("--min-days", self.min_days),
            ("--first", self.first),
            ("--min-units-a-day", self.min_units_a_day),
        ):
            if not value >= 0:
                raise SettingsError(f"{name}: found {value}; wanted 0 or more")

    def days(self, dates: NDArray[np.datetime64]) -> NDArray[np.bool_]:
        """Mask of the dates that are kept; what isn't a date is kept, for a check to find."""
        outside = np.zeros(len(dates), dtype=bool)
        if self.since:
            outside |= dates < np.datetime64(self.since)
        if self.until:
            outside |= dates > np.datetime64(self.until)
        return ~outside

    def products(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[Note]]:
        """Rows of the products that sell enough."""
        means = rows.groupby(["bakery", "product"])["units"].transform("mean")
        few = means < self.min_units_a_day
        if not few.any():
            return rows, []
        names = sorted(rows.loc[few, "product"].unique())
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        words = f"products below {self.min_units_a_day:g} units a day: "
        return rows[~few], [("dropped", words + ", ".join(names[:MOST_NAMED]) + more)]

    def bakeries(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[Note]]:
        """Rows of the bakeries that are kept."""
        days = rows.groupby("bakery")["date"].nunique()
        enough = sorted(days.index[days >= self.min_days])
        kept = enough[: self.first or None]
        notes: list[Note] = []
        if len(enough) < len(days):
            words = (
                f"{len(days) - len(enough)} bakeries with fewer than {self.min_days} trading days"
            )
            notes.append(("dropped", words))
        if len(kept) < len(enough):
            words = f"{len(enough) - len(kept)} bakeries after the first {self.first} in text order"
            notes.append(("dropped", words))
        return rows[rows["bakery"].isin(kept)], notes
