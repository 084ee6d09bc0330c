"""The federation's prior of how sure a forecast is, for a bakery with few errors of its own.

In come the counts of all established bakeries' errors (`ErrorDistribution`); out comes the
distribution that a newcomer starts from, and that its own errors then take over from.
"""

from __future__ import annotations

import numpy as np

from glean.aggregation.error_histogram import EDGES, ErrorDistribution
from glean.forecasting.calibration import Calibration

ERRORS_FILE = "widths.json"
"""Where a run's folder keeps them beside the model."""


def prior_calibration(errors: ErrorDistribution) -> Calibration:
    """Read the distribution off the counts.

    Between the limits of a bin errors are taken to be spread evenly; a new one lies beyond the ends
    with probability 1 / (n + 1), as for a bakery's own.
    """
    counts = np.array(errors.counts, dtype=np.float64)
    total = counts.sum()
    levels = (0.5 + np.concatenate([[0.0], np.cumsum(counts)])) / (total + 1)
    # Empty bins have one level for two limits; the inner one is where errors begin, or end.
    filled = np.flatnonzero(counts)
    first, last = filled[0], filled[-1] + 1
    inner, at = np.unique(levels[first : last + 1], return_index=True)
    return Calibration(
        by_chance=errors.by_chance,
        by_share=errors.by_share,
        scores=EDGES[first : last + 1][at],
        levels=inner,
        weekdays=np.ones(7),
    )
