"""Results of the final test as numbers that only count once all bakeries' are added up.

A bakery judges the final model when it gets it, and keeps what came of it in its node's state until
the server asks for its summand.
"""

from __future__ import annotations

import numpy as np
from flwr.app import Array, ArrayRecord, RecordDict
from numpy.typing import NDArray

from glean.aggregation.metric_sums import Words, decode, encode
from glean.errors import FederationError

Floats = NDArray[np.float64]

FIELDS = (
    "n_days", "n_rows", "units", "abs_error", "squared_error",
    "relative_error", "scaled_error", "signed_error",
)  # fmt: skip
"""Sums over a bakery's test rows; the last three are the means of `bakeries.csv` (mape, mase, and
the bias in units) times its number of rows or units."""

_POWER_OF_UNITS = np.array([0, 0, 1, 1, 2, 0, 0, 1])
_NAME = "glean-final"


def keep(sums: Floats, state: RecordDict) -> None:
    """Keep the sums of each method, shape (methods, fields), in a node's state."""
    state[_NAME] = ArrayRecord({_NAME: Array.from_numpy_ndarray(sums)})


def kept_encoded(state: RecordDict, *, unit_weight: float, num_clients: int) -> Words:
    """Write the sums that were kept as words, shape (methods x fields,).

    Raises
    ------
    FederationError
        None were kept, or one is too large to be added up.
    """
    found = state.array_records.get(_NAME)
    if found is None:
        raise FederationError("there are no results here; wanted those of the final test")
    sums = found[_NAME].numpy()
    return encode((sums / unit_weight**_POWER_OF_UNITS).ravel(), num_clients=num_clients)


def summed(words: Words, *, unit_weight: float, num_clients: int) -> Floats:
    """Read the sum of all bakeries' words: shape (methods, fields)."""
    values = decode(words, num_clients=num_clients).reshape(-1, len(FIELDS))
    return values * unit_weight**_POWER_OF_UNITS
