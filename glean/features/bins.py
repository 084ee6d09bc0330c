"""Public bin edges: where trees may split. Constants of the feature definition, no one's quantiles.

A threshold that were a quantile of a bakery's rows would tell the server values of its data. The
edges follow from what a column is: sales columns are ratios to the level and spread around 1 like a
log-normal variable; how widely is an assumption, the same for everyone.
"""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from glean.features.definition import HOLIDAY_REACH_DAYS, FeatureDefinition

Singles = NDArray[np.float32]

RATIO_SPREAD = 0.45
"""Standard deviation of the logarithm of a ratio to the level."""

USUAL_DEVIATION = 0.35
LARGEST_COVARIATE = 1e4

MOST_VALUE_BINS = 255
"""With the one for missing values the bins of a column are a byte."""

_FLAGS = ("holiday", "school_holiday", "promotion")
_CLOSED_DAYS = (0.5, 1.5, 2.5, 3.5, 6.5, 13.5, 27.5)
_LINEAR = {
    "temperature_c": (-8.0, 34.0),
    "temperature_change": (-12.0, 12.0),
    "price_change": (-0.3, 0.3),
    "share_of_bakery": (-6.0, 0.0),
    "year_sin": (-0.97, 0.97),
    "year_cos": (-0.97, 0.97),
}


@lru_cache(maxsize=512)
def bin_edges(name: str, definition: FeatureDefinition, *, bins: int) -> Singles:
    """Edges between the bins of a column, ascending; at most `bins` - 1 and 254, float32.

    A value belongs to the bin whose lower edge is the last one that isn't above it, so that a tree
    that splits at an edge sends exactly the values below it to the left.
    """
    bins = min(bins, MOST_VALUE_BINS)
    count = bins - 1
    if name in _FLAGS:
        edges = np.array([0.5])
    elif name == "weekday":
        edges = np.arange(6) + 0.5
    elif name in ("days_to_holiday", "days_since_holiday"):
        edges = np.arange(HOLIDAY_REACH_DAYS) + 0.5
    elif name == "days_closed_before":
        edges = np.array(_CLOSED_DAYS)
    elif name in _LINEAR:
        edges = np.linspace(*_LINEAR[name], count)
    elif name == "rain_mm":
        edges = np.geomspace(0.1, 40.0, count)
    elif name in definition.covariates:
        edges = _signed(count)
    else:
        middle = USUAL_DEVIATION if name == "deviation_28" else 1.0
        edges = middle * np.exp(RATIO_SPREAD * _normal_quantiles(bins))
    found = np.unique(edges.astype(np.float32))
    found.flags.writeable = False
    return found


def in_bins(x: Singles, definition: FeatureDefinition, *, bins: int) -> Singles:
    """Put every value of a matrix, shape (rows, columns), onto the lower edge of its bin.

    Values below the first edge come to one place below it; NaN stays NaN.
    """
    found = np.empty_like(x)
    for column, name in enumerate(definition.names):
        edges = bin_edges(name, definition, bins=bins)
        places = np.concatenate([edges[:1] - 1, edges])
        values = x[:, column]
        found[:, column] = places[np.searchsorted(edges, values, side="right")]
        found[np.isnan(values), column] = np.nan
    return found


def _normal_quantiles(bins: int) -> NDArray[np.float64]:
    normal = NormalDist()
    return np.array([normal.inv_cdf(k / bins) for k in range(1, bins)])


def _signed(count: int) -> NDArray[np.float64]:
    """Spread edges over a covariate whose unit isn't known: zero, and decades on either side."""
    side = np.geomspace(1e-2, LARGEST_COVARIATE, max(count // 2, 1))
    return np.concatenate([-side[::-1], [0.0], side])[: max(count, 1)]
