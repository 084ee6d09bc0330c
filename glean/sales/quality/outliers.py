"""Days on which a product sold far more or less than on the same weekday around it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

NEIGHBOURS = 9
"""Same weekdays in a row, the day itself in their middle, whose median is the usual."""

TIMES = 6.0
"""So many times the usual scatter away from the usual is an outlier."""

LEAST_SCATTER = 0.5
"""Of the root of a count: what chance alone does (the root of a Poisson count varies by 1/2)."""


def usual_units(rows: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Compare each row with the same weekdays around it.

    The scatter of a product is 1.4826 times the median absolute difference between the roots of
    its units and of the usual ones (which is the standard deviation, were they normal).

    Parameters
    ----------
    rows : DataFrame
        n rows with `date`, `bakery`, `product`, `units`; sorted by date within a product.

    Returns
    -------
    usual : array of float, shape (n,)
        Units that were to be expected; NaN with too few weeks around.
    outliers : array of bool, shape (n,)
        Where the units are far from that.
    """
    roots = np.sqrt(rows["units"].clip(lower=0.0)).reset_index(drop=True)
    product = rows.groupby(["bakery", "product"], sort=False).ngroup().to_numpy()
    weekday = rows["date"].dt.day_of_week.to_numpy()
    around = roots.groupby([product, weekday]).rolling(NEIGHBOURS, center=True, min_periods=4)
    usual = around.median().reset_index(level=[0, 1], drop=True).sort_index()
    distance = (roots - usual).abs()
    scatter = 1.4826 * distance.groupby(product).transform("median")
    outliers = distance > TIMES * scatter.clip(lower=LEAST_SCATTER)
    return usual.to_numpy() ** 2, outliers.to_numpy()
