"""Inputs of models that need scaled numbers: by public constants, never by anyone's data.

Trees take columns as they are; a neural network or a linear model needs them of one size, with
nothing missing. The constants are guesses at a usual bakery, the same for everyone, so that they
disclose nothing and every bakery's weights mean the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glean.features.definition import HOLIDAY_REACH_DAYS, FeatureDefinition

Singles = NDArray[np.float32]

FARTHEST = 5.0
"""Scaled inputs are cut to plus and minus this, so that one odd day can't pull a model away."""

WEEKDAYS = 7

_USUAL = {
    "deviation_28": (0.3, 0.2),
    "days_closed_before": (0.0, 2.0),
    "days_to_holiday": (HOLIDAY_REACH_DAYS, 3.0),
    "days_since_holiday": (HOLIDAY_REACH_DAYS, 3.0),
    "share_of_bakery": (-2.0, 1.5),
    "price_change": (0.0, 0.1),
    "temperature_c": (10.0, 10.0),
    "temperature_change": (0.0, 5.0),
    "rain_mm": (0.0, 5.0),
}
"""Column -> its usual value and a usual distance from it."""

_NEAR_THE_LEVEL = ("lag_", "mean_", "weekday_", "profile_", "bakery_", "year_lag")


def input_count(definition: FeatureDefinition) -> int:
    """Count the inputs: the columns, with seven in place of the weekday's one."""
    return len(definition.names) + ("weekday" in definition.names) * (WEEKDAYS - 1)


def scaled_inputs(x: Singles, definition: FeatureDefinition) -> Singles:
    """Scale the columns; a missing value becomes 0, the usual one.

    Parameters
    ----------
    x : float32 array of shape (rows, columns)
        As in a `FeatureMatrix`.
    definition : FeatureDefinition
        What the columns are.

    Returns
    -------
    float32 array of shape (rows, input_count(definition))
        Within plus and minus `FARTHEST`; the weekday as seven columns of 0 and 1 at the end.
    """
    numbers = [k for k, name in enumerate(definition.names) if name != "weekday"]
    usual = np.array([_usual(definition.names[k]) for k in numbers], dtype=np.float32)
    columns = (x[:, numbers] - usual[:, 0]) / usual[:, 1]
    inputs: Singles = np.clip(np.nan_to_num(columns), -FARTHEST, FARTHEST)
    if "weekday" not in definition.names:
        return inputs
    weekday = x[:, [definition.names.index("weekday")]]
    return np.hstack([inputs, (weekday == np.arange(WEEKDAYS)).astype(np.float32)])


def _usual(name: str) -> tuple[float, float]:
    if name in _USUAL:
        return _USUAL[name]
    return (1.0, 0.5) if name.startswith(_NEAR_THE_LEVEL) else (0.0, 1.0)
