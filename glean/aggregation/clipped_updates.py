"""Averages of clipped updates, each client counting the same (McMahan et al. 2018).

A client's update is what its training changed in all weights. It is cut to a length, written in
multiples of that length and rounded towards zero, so that a client moves the sum by a unit at most,
whatever it learned from. How many pictures it has weighs nothing: that would be a number to hide.
"""

from __future__ import annotations

import logging
import math

import numpy as np
from numpy.typing import NDArray

from glean.aggregation.count_bounds import FAR, expect
from glean.aggregation.fedavg import weights_at
from glean.aggregation.server_optimizers import flat
from glean.errors import ImpossibleSumError, ModelError
from glean.learning.day_sums import UNIT
from glean.learning.model_weights import Weights

LOG = logging.getLogger("glean")

Encoded = NDArray[np.int64]

_ROUNDING = 1e-9
"""By so much updates are cut shorter: more than adding up squares in float64 can be off."""


def clipped_update(after: Weights, before: Weights, *, clip_norm: float) -> Encoded:
    """Write what training changed as a summand.

    Parameters
    ----------
    after, before : Weights
        After training, and the global ones that it began with.
    clip_norm : float
        Longest update, in the Euclidean norm over all weights.

    Returns
    -------
    int64 array of shape (weights,)
        In clip norms, times `UNIT`; no longer than `UNIT`. An update that has no length is zeros,
        as the log says: an error would tell whoever chooses the step size of the pictures.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        update = flat(after) - flat(before)
        length = float(np.linalg.norm(update))
    if not math.isfinite(length):
        LOG.warning("found an update without a finite length; this client adds none")
        return np.zeros(update.shape, dtype=np.int64)
    whole = UNIT * (1.0 - _ROUNDING) / max(length, clip_norm)
    return np.trunc(update * whole).astype(np.int64)


def mean_update(total: Encoded, *, like: Weights, clip_norm: float, clients: int) -> Weights:
    """Go on from the global weights by the mean of so many clients' updates.

    Parameters
    ----------
    total : int64 array of shape (weights,)
        Sum of `clipped_update`, perhaps with noise.
    like : Weights
        The global weights so far.
    clip_norm : float
        As for `clipped_update`.
    clients : int
        Whose updates are in the sum.

    Raises
    ------
    ModelError
        The result isn't one of sane weights.
    """
    return weights_at(flat(like) + total / UNIT * (clip_norm / clients), like)


def check_updates(
    total: Encoded, *, like: Weights, clip_norm: float, clients: int, noise: float
) -> None:
    """Check a sum of clipped updates.

    Parameters
    ----------
    total, like, clip_norm, clients
        As for `mean_update`; of clients the most that there can be.
    noise : float
        Standard deviation of the noise in each number, in clip norms.

    Raises
    ------
    ImpossibleSumError
        A number is beyond what so many updates come to, by more than noise; or noise is so large
        that no sane weights come out.
    """
    found, most = total / UNIT, clients + FAR * noise
    expect(np.abs(found) <= most, found, f"at most {most:.6g} clip norms")
    try:
        mean_update(total, like=like, clip_norm=clip_norm, clients=1)
    except ModelError as error:
        raise ImpossibleSumError(str(error)) from error
