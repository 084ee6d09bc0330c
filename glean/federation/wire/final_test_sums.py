"""Results of the final test as numbers that only count once all clients' are added up.

A client scores the final model when it gets it, and keeps what came of it in its node's state until
the server asks for its summand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from flwr.app import Array, ArrayRecord, RecordDict
from numpy.typing import NDArray

from glean.aggregation.metric_sums import Encoded, decode, encode
from glean.errors import FederationError

Floats = NDArray[np.float64]

_NAME = "glean-final"


def keep(sums: Floats, state: RecordDict) -> None:
    """Keep sums of each method, shape (methods, fields), or scores (methods,) in a node's state."""
    state[_NAME] = ArrayRecord({_NAME: Array.from_numpy_ndarray(sums)})


def kept(state: RecordDict) -> Floats:
    """Give back what was kept.

    Raises
    ------
    FederationError
        Nothing was.
    """
    found = state.array_records.get(_NAME)
    if found is None:
        raise FederationError("there are no results here; wanted those of the final test")
    return found[_NAME].numpy()


def kept_encoded(
    state: RecordDict, *, unit_powers: Sequence[int], unit_weight: float, num_clients: int
) -> Encoded:
    """Write the sums that were kept as whole numbers, shape (methods x fields,).

    Parameters
    ----------
    state : RecordDict
        The node's own state.
    unit_powers : sequence of int
        By field, the power of the data's unit that it is counted in.
    unit_weight : float
        The public unit that sums are relative to.
    num_clients : int
        Summands at most.

    Raises
    ------
    FederationError
        None were kept, or one is too large to be added up.
    """
    scales = unit_weight ** np.array(unit_powers)
    return encode((kept(state) / scales).ravel(), num_clients=num_clients)


def kept_digest(state: RecordDict) -> str:
    """Name what was kept, so that two final tests of a run aren't taken for one; "" for nothing."""
    found = state.array_records.get(_NAME)
    return hashlib.sha256(found[_NAME].numpy().tobytes()).hexdigest() if found is not None else ""


def summed(
    encoded: Encoded, *, unit_powers: Sequence[int], unit_weight: float, num_clients: int
) -> Floats:
    """Read the sum of all clients' numbers: shape (methods, fields)."""
    values = decode(encoded, num_clients=num_clients).reshape(-1, len(unit_powers))
    return values * unit_weight ** np.array(unit_powers)
