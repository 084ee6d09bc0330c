"""Baselines: the two forecasts that a baker makes by habit, without any model.

In comes a `FeatureMatrix`; out go forecasts in units on exactly its rows. Both use nothing sold
after the forecast origin, since they are read from the same features as the model's.
"""

from __future__ import annotations

import numpy as np

from glean.features.matrix import FeatureMatrix
from glean.metrics import Floats

_FEATURE_OF = {"weekday-mean": "weekday_mean_4", "last-week": "weekday_lag_1"}


def baselines(features: FeatureMatrix) -> dict[str, Floats]:
    """Forecast by each baseline.

    Parameters
    ----------
    features : FeatureMatrix
        n rows with the features `weekday_mean_4` and `weekday_lag_1`, relative to the level.

    Returns
    -------
    dict of str to array of shape (n,)
        "weekday-mean" and "last-week" in units. Where the weekday hasn't been traded yet, the
        level (mean of the last 28 trading days) stands in.
    """
    return {method: _in_units(features, name) for method, name in _FEATURE_OF.items()}


def _in_units(features: FeatureMatrix, name: str) -> Floats:
    relative = features.column(name).astype(np.float64)
    return np.where(np.isnan(relative), 1.0, relative) * features.mean_28
