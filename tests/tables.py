"""Small sales tables that several tests use."""

from __future__ import annotations

import numpy as np
import pandas as pd

from glean.sales.table import SalesTable


def random_table(
    *,
    seed: int = 0,
    bakeries: int = 1,
    products: int = 2,
    days: int = 120,
    closed_weekday: int | None = 6,
    mean_units: float = 40.0,
) -> SalesTable:
    """Make Poisson sales with a weekday profile; closed on one weekday."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2023-01-02", periods=days, freq="D")
    dates = dates[dates.day_of_week != closed_weekday] if closed_weekday is not None else dates
    parts = []
    for bakery in range(bakeries):
        for product in range(products):
            mean = mean_units * (1 + bakery) * (1 + 0.3 * np.sin(dates.day_of_week + product))
            parts.append(
                pd.DataFrame(
                    {
                        "date": dates,
                        "bakery": f"bakery {bakery}",
                        "product": f"product {product}",
                        "units": rng.poisson(mean).astype(np.float64),
                    }
                )
            )
    return SalesTable(pd.concat(parts, ignore_index=True))
