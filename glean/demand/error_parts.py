"""Parts of a sum that only the demand has: how far its forecasts are off on validation rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glean.aggregation.error_histogram import COUNTS_LENGTH, MOMENTS_LENGTH, counts, moments
from glean.aggregation.metric_sums import encode
from glean.errors import ModelError
from glean.features.matrix import FeatureMatrix
from glean.federation.wire.sum_request import SumRequest
from glean.metrics import Floats

Encoded = NDArray[np.int64]

MOMENTS = "moments"
"""Sums over the validation window that the variance of the federation's errors is fitted to."""

ERROR_COUNTS = "error counts"
"""Counts of errors over the validation window, by their size in deviations of that variance."""

_LENGTHS = {MOMENTS: MOMENTS_LENGTH, ERROR_COUNTS: COUNTS_LENGTH}


def training_totals(rows: FeatureMatrix) -> tuple[int, float]:
    """Count the rows that can be learned from, and sum their weights."""
    known = np.isfinite(rows.y)
    return int(known.sum()), float(rows.weight[known].sum())


def error_part_length(part: str) -> int:
    """Say how many numbers a part has.

    Raises
    ------
    ModelError
        There is no such part.
    """
    if part not in _LENGTHS:
        known = ", ".join(_LENGTHS)
        raise ModelError(f"found the part {part!r:.80} of a vector; known are {known}")
    return _LENGTHS[part]


def error_part(part: str, forecast: Floats, units: Floats, request: SumRequest) -> Encoded:
    """Sum up or count the errors of the validation rows, both of shape (rows,) and in units.

    Raises
    ------
    ModelError
        There is no such part, or the variance to count by is none.
    """
    error_part_length(part)
    if part == MOMENTS:
        sums = moments(forecast, units, unit_weight=request.unit_weight)
        return encode(sums, num_clients=request.num_clients)
    scale = request.scale
    if len(scale) != 2 or not 0 < sum(scale) < np.inf or min(scale) < 0:
        raise ModelError(f"found a variance of {scale!r:.80}; wanted two parts above 0")
    by_chance, by_share = scale
    return counts(forecast, units, unit_weight=request.unit_weight, scale=(by_chance, by_share))
