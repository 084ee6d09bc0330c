"""A correction of level by product: where a model is steadily above or below a bakery's sales."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from glean.features.matrix import FeatureMatrix
from glean.metrics import Floats

RECENT_DAYS = 84
"""Days before the last row over which a product's level is compared."""

PRIOR_DAYS = 28
"""Days of sales exactly as forecast that are added to those seen: few days move little."""


@dataclass(frozen=True)
class BiasCorrection:
    """Factors by product.

    Parameters
    ----------
    factors : mapping of str to float
        Product -> units sold / units forecast, drawn towards 1; a product that isn't there has 1.
    """

    factors: Mapping[str, float] = field(default_factory=dict)

    def apply(self, forecast: Floats, features: FeatureMatrix, *, share: float) -> Floats:
        """Correct a forecast (units, shape (n,)) of rows by `share` (0 to 1) of the way."""
        products = features.keys["product"].tolist()
        factors = np.array([self.factors.get(product, 1.0) for product in products])
        return forecast * factors**share


def bias_correction(features: FeatureMatrix, forecast: Floats) -> BiasCorrection:
    """Compare what was sold with what was forecast, product by product.

    Parameters
    ----------
    features : FeatureMatrix
        n rows with known units; those of the last `RECENT_DAYS` days count.
    forecast : array of shape (n,)
        Units.
    """
    dates = features.keys["date"]
    recent = (dates > dates.max() - pd.Timedelta(days=RECENT_DAYS)).to_numpy()
    recent = recent & np.isfinite(features.units)
    table = pd.DataFrame(
        {
            "product": features.keys["product"].to_numpy(),
            "units": features.units,
            "forecast": forecast,
        }
    )[recent]
    sums = table.groupby("product").agg(
        units=("units", "sum"), forecast=("forecast", "sum"), days=("forecast", "size")
    )
    prior = PRIOR_DAYS * sums["forecast"] / sums["days"]
    factors = (sums["units"] + prior) / (sums["forecast"] + prior)
    usable = factors[sums["forecast"] > 0]
    return BiasCorrection({str(name): float(factor) for name, factor in usable.items()})
