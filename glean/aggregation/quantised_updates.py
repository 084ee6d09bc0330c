"""Updates of weights in few bits: each number is rounded up or down by a draw, which bends none.

Stochastic rounding to evenly spaced levels (Alistarh et al., "QSGD", NeurIPS 2017), on levels that
are the same for all clients, so that their whole numbers add up under masks. The levels of a layer
span its largest weight, which everybody knows from the model; what moved by more is cut to that.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from glean.aggregation.count_bounds import expect
from glean.aggregation.fedavg import weights_at
from glean.aggregation.server_optimizers import flat
from glean.errors import ImpossibleSumError, ModelError
from glean.learning.model_weights import Weights

Encoded = NDArray[np.int64]
Floats = NDArray[np.float64]

LEAST_RANGE = 0.1
"""What a layer spans at least: the first weights may be zeros."""

_ALL, _SOME = 1.1, 4.0
"""By what factor shares of all clients, and of some that were drawn, may add up to more than 1."""


def level_count(bits: int, *, clients: int, drawn: bool) -> int:
    """Say how many levels there are on each side of 0, so that no sum runs over.

    Parameters
    ----------
    bits : int
        Of each number, its sign included.
    clients : int
        How many are in a sum at most; each may be rounded up by one.
    drawn : bool
        Whether they are some of all.

    Raises
    ------
    ModelError
        There is none.

    Examples
    --------
    >>> level_count(16, clients=10, drawn=False)
    29779
    """
    room: int = (1 << (bits - 1)) - 1 - clients
    found = math.floor(room / (_SOME if drawn else _ALL))
    if found < 1:
        least = 2 + math.ceil(math.log2(clients + 6))
        raise ModelError(
            f"update-bits: found {bits} for sums over {clients} clients; wanted {least} or more, "
            "so that their numbers have room"
        )
    return found


def quantised(
    after: Weights, before: Weights, *, share: float, most: float, count: int, seed: int
) -> Encoded:
    """Write what training changed as a summand, shape (weights,).

    Parameters
    ----------
    after, before : Weights
        After training, and the global ones.
    share : float
        The client's weight, as a share of what all in the sum weigh together.
    most : float
        Largest share; a larger one is cut to it.
    count : int
        Levels on each side.
    seed : int
        By which numbers are rounded up or down.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        moved = np.nan_to_num((flat(after) - flat(before)) / ranges(before))
    exact = np.clip(moved, -1.0, 1.0) * (min(share, most) * count)
    draws = np.random.default_rng([seed, count]).random(exact.shape)
    return np.floor(exact + draws).astype(np.int64)


def largest_share(count: int, *, drawn: bool) -> float:
    """Give the largest share of a client among so many, such that no sum runs over."""
    return _SOME / count if drawn else 1.0


def stepped(total: Encoded, *, like: Weights, count: int) -> Weights:
    """Go a step on from the global weights, by the sum of `quantised`.

    Raises
    ------
    ModelError
        The result isn't one of sane weights.
    """
    return weights_at(flat(like) + total * (ranges(like) / count), like)


def check_steps(total: Encoded, *, like: Weights, count: int, clients: int, drawn: bool) -> None:
    """Check a sum of `quantised`.

    Raises
    ------
    ImpossibleSumError
        A number is beyond what so many clients come to, or no sane weights come out.
    """
    most = (_SOME if drawn else _ALL) * count + clients
    found = total.astype(np.float64)
    expect(np.abs(found) <= most, found, f"at most {most:.6g} levels")
    try:
        stepped(total, like=like, count=count)
    except ModelError as error:
        raise ImpossibleSumError(str(error)) from error


def ranges(weights: Weights) -> Floats:
    """Give by how much each weight may move, shape (weights,): by its layer's largest one."""
    arrays = weights.arrays.values()
    spans = [max(LEAST_RANGE, float(np.abs(held).max(initial=0.0))) for held in arrays]
    return np.concatenate(
        [np.full(held.size, span) for held, span in zip(arrays, spans, strict=True)]
    )
