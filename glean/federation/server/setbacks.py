"""How much worse a round made the model, by what clients say of it before and after.

Each client scores both models on the same validation rows, so its two scores are a pair: what makes
a day hard to forecast is in both. Of the changes the median counts, which fewer than half of
the clients can't move beyond those of the others, whatever they say (Huber and Ronchetti, "Robust
statistics", 2nd ed., section 1.4, on its breakdown point of one half). Where only the sum over all
is there, it is the one pair; over as many rows, else it isn't over the same clients.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping

from glean.federation.coordination.metric_rounds import Scores

Primaries = Mapping[tuple[str, int], float]
"""Client, or `ALL_CLIENTS`, and its validation rows -> its primary metric, lower being better."""

MOST_LOST = 3
"""Rounds in a row that are given up or taken back before the training ends."""


def primaries(scores: Scores) -> Primaries:
    """Take the primary metric of each score that has one."""
    found = {(name, int(sums.rows)): sums.primary for name, sums in scores.items()}
    return {key: value for key, value in found.items() if math.isfinite(value)}


def setback(before: Primaries, after: Primaries, *, least_scale: float = 0.0) -> float:
    """Say by which share the score is worse; below zero where it is better.

    Parameters
    ----------
    before, after : mapping of (str, int) to float
        Who isn't in both, with as many rows, doesn't count.
    least_scale : float
        What a change is relative to where the score before is smaller.

    Returns
    -------
    float
        Median over clients of (after - before) / before; 0 where there is nothing to compare.

    Examples
    --------
    >>> before = {("A", 90): 0.2, ("B", 90): 0.2, ("C", 90): 0.2}
    >>> round(setback(before, {("A", 90): 0.3, ("B", 90): 0.21, ("C", 90): 0.0}), 9)
    0.05
    """
    changes = [
        (after[key] - value) / max(value, least_scale)
        for key, value in before.items()
        if value > 0 and key in after
    ]
    return statistics.median(changes) if changes else 0.0
