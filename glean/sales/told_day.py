"""What is told of a day to come, on a bakery's page."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class ToldDay:
    """What is told of a day to come.

    Parameters
    ----------
    day : date
        Which one.
    product : str
        The product that it is about, "" for all.
    open, promotion, school_holiday : float or None
        1 for yes, 0 for no, None where nothing is told.
    """

    day: dt.date
    product: str = ""
    open: float | None = None
    promotion: float | None = None
    school_holiday: float | None = None
