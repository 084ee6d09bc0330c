"""How much to bake: the newsvendor's quantity, in whole trays.

In come quantiles of demand; out comes a number of units. A unit more is worth baking as long as the
chance that it is asked for, times what is lost when it is missing, exceeds the chance that it is
left over, times what is lost then: that is up to the quantile at the critical ratio (Arrow, Harris
and Marschak, "Optimal inventory policy", Econometrica 1951). In trays the same holds for the tray.
"""

from __future__ import annotations

import math

import numpy as np

from glean.metrics import Floats

POINTS = 64
"""Points within a tray at which the chance of demand is looked at."""


def bake_quantity(
    levels: Floats, quantiles: Floats, *, ratio: float, batch: float = 1.0, minimum: float = 0.0
) -> float:
    """Units to bake.

    Parameters
    ----------
    levels : array of shape (k,)
        Levels of quantiles, strictly between 0 and 1, ascending.
    quantiles : array of shape (k,)
        Units of demand at these levels, ascending.
    ratio : float
        Critical ratio, strictly between 0 and 1.
    batch : float
        Units on a tray: the answer is a multiple of it.
    minimum : float
        Fewest units worth baking: the answer is none or at least these.

    Returns
    -------
    float
        Never less for a higher ratio.

    Examples
    --------
    >>> levels, quantiles = np.linspace(0.05, 0.95, 19), np.linspace(5.0, 95.0, 19)
    >>> bake_quantity(levels, quantiles, ratio=0.8, batch=12)
    84.0
    """
    trays = 0
    while _probability_left_over(trays, batch, levels, quantiles) < ratio:
        trays += 1
    planned = trays * batch
    if 0 < planned < minimum:
        least = math.ceil(minimum / batch - 1e-9)
        worth = np.mean([_probability_left_over(k, batch, levels, quantiles) for k in range(least)])
        return least * batch if worth < ratio else 0.0
    return float(planned)


def _probability_left_over(trays: int, batch: float, levels: Floats, quantiles: Floats) -> float:
    """Chance that a unit of the next tray is left over, on average over the tray.

    With pieces (a batch of 1) the next unit is left over where demand is at most what there is.
    """
    if batch == 1:
        return float(_cdf(trays + 0.5, levels, quantiles))
    points = trays * batch + (np.arange(POINTS) + 0.5) / POINTS * batch
    return float(np.mean(_cdf(points, levels, quantiles)))


def _cdf(units: float | Floats, levels: Floats, quantiles: Floats) -> Floats:
    """Chance of demand of at most `units`; 1 beyond the last quantile, so that a plan ends."""
    rising = np.maximum.accumulate(quantiles) + np.arange(len(quantiles)) * 1e-12
    return np.asarray(np.interp(units, rising, levels, left=0.0, right=1.0))
