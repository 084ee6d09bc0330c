"""Updates that come when they are done: how much a stale one counts, and what it adds.

A buffer of updates makes a step of the global model, whoever gave them and whichever model each
began with (FedBuff: Nguyen et al., "Federated Learning with Buffered Asynchronous Aggregation",
AISTATS 2022). An update that began s steps ago counts (1 + s)^-a, the polynomial weight of Xie,
Koyejo and Gupta ("Asynchronous Federated Optimization", 2019) that FedBuff takes over with a = 1/2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glean.asynchronous_settings import FEWEST_IN_BUFFER
from glean.learning.model_weights import Weights

Encoded = NDArray[np.int64]

SHARE = 5
"""A buffer holds one in so many clients where nothing else is said."""


def staleness_weight(staleness: int, exponent: float) -> float:
    """Give the weight of an update, at most 1.

    Parameters
    ----------
    staleness : int
        Steps that the global model has taken since the one that the update began with.
    exponent : float
        How fast weights fall; 0: all count the same.

    Examples
    --------
    >>> staleness_weight(0, 0.5), staleness_weight(3, 0.5)
    (1.0, 0.5)
    """
    return float((1.0 + staleness) ** -exponent)


def buffer_size(asked: int, *, clients: int, floor: int) -> int:
    """Say how many updates make a step.

    Parameters
    ----------
    asked : int
        The setting; 0 for one in `SHARE`.
    clients : int
        How many there are that train.
    floor : int
        How many have to be in what is opened.

    Examples
    --------
    >>> buffer_size(0, clients=40, floor=0), buffer_size(0, clients=8, floor=5)
    (8, 5)
    >>> buffer_size(10, clients=4, floor=0)
    4
    """
    wanted = asked or max(FEWEST_IN_BUFFER, clients // SHARE)
    return min(max(wanted, floor), clients)


def rebased(after: Weights, before: Weights, current: Weights, *, discount: float) -> Weights:
    """Put a stale update on top of the present weights.

    Parameters
    ----------
    after, before : Weights
        After training, and those that it began with.
    current : Weights
        The global ones now.
    discount : float
        How much the update counts.

    Returns
    -------
    Weights
        `after` itself, to the byte, where nothing is stale.
    """
    if discount == 1.0 and _same(before, current):
        return after
    factor = np.float32(discount)
    arrays = {
        name: held + factor * (after.arrays[name] - before.arrays[name])
        for name, held in current.arrays.items()
    }
    return Weights(current.kind, current.spec, arrays)


def discounted(summand: Encoded, discount: float) -> Encoded:
    """Let a summand count less, in whole numbers; the same where it counts in full.

    Rounded towards zero: whatever its length was, which noise may rely on, it gets no longer.
    """
    if discount == 1.0:
        return summand
    found: Encoded = np.trunc(summand.astype(np.float64) * discount).astype(np.int64)
    return found


def _same(one: Weights, other: Weights) -> bool:
    return all(np.array_equal(one.arrays[name], values) for name, values in other.arrays.items())
