"""Inputs that stand beside a registered model as examples: made up, of nobody's sales."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

from glean.iris.species import LENGTHS

if TYPE_CHECKING:
    import pandas as pd

FIRST_DAY, DAYS = dt.date(2026, 1, 5), 84
"""A Monday, and twelve weeks: enough to refine a model on."""

SUNDAY = 6

UNITS = {"rolls": (120, 96, 100, 104, 150, 210), "rye bread": (30, 24, 26, 25, 38, 52)}
"""Made-up units by weekday from Monday to Saturday; closed on Sundays."""


def sales_example(covariates: Sequence[str] = ()) -> pd.DataFrame:
    """Make sales of a bakery that there isn't, with a column of zeros for each covariate."""
    import pandas as pd

    days = [FIRST_DAY + dt.timedelta(days=k) for k in range(DAYS)]
    rows = [
        {
            "date": str(day),
            "product": product,
            "units": float(units[day.weekday()] + (day.toordinal() * 7) % 11),
        }
        for day in days
        if day.weekday() != SUNDAY
        for product, units in UNITS.items()
    ]
    return pd.DataFrame(rows).assign(**dict.fromkeys(covariates, 0.0))


def iris_example() -> pd.DataFrame:
    """Make three flowers, one near each species."""
    import pandas as pd

    rows = ((5.0, 3.4, 1.5, 0.2), (5.9, 2.8, 4.3, 1.3), (6.6, 3.0, 5.6, 2.0))
    return pd.DataFrame(rows, columns=list(LENGTHS))
