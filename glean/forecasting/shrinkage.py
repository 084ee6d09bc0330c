"""How far a few days may move a choice: towards what they say, held back by what usually holds."""

from __future__ import annotations

from glean.features.matrix import FeatureMatrix

PRIOR_DAYS = 56
"""Validation days that weigh as much as what usually holds. Chosen on the windows before the test
windows of the reference jobs: 28 chased noise on the restaurants, 84 was no better."""


def shrunk(found: float, usual: float, *, days: int) -> float:
    """Draw what was found on so many days towards what usually holds.

    Examples
    --------
    >>> shrunk(1.0, 0.5, days=56)
    0.75
    """
    return usual + (found - usual) * days / (days + PRIOR_DAYS)


def trading_days(features: FeatureMatrix) -> int:
    """Count the distinct days of the rows."""
    return int(features.keys["date"].nunique())


SHORT_HISTORY_DAYS = 60
"""Trading days at which what a bakery learns alone is trusted half as much as on long histories."""


def local_weight(history_days: int) -> float:
    """How far what was learned on so many trading days is usually to be trusted, 0 to 1.

    Examples
    --------
    >>> local_weight(60)
    0.5
    """
    return history_days / (history_days + SHORT_HISTORY_DAYS)
