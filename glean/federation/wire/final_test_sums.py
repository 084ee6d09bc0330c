"""Results of the final test as numbers that only count once all clients' are added up.

A client scores the final model when it gets it, and keeps what came of it in its node's state until
the server asks for its summand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from numpy.typing import NDArray

from glean.aggregation.metric_sums import Encoded, decode, encode
from glean.errors import FederationError
from glean.federation.wire.messages import FinalTask, Task

Floats = NDArray[np.float64]

_NAME, _TESTED = "glean-final", "tested"


def name_of_test(task: Task) -> str:
    """Name a test by all that its scores are of: the model, how it was refined, what was found out.

    The same for all clients of an honest server, which sends each the whole model.
    """
    findings = task.findings if isinstance(task, FinalTask) else ""
    told = [task.round, task.spec, task.learning_rate, findings]
    digest = hashlib.sha256(json.dumps(told).encode())
    digest.update(task.model)
    return digest.hexdigest()


def keep(sums: Floats, task: Task, state: RecordDict) -> None:
    """Keep what a test came to in a node's state.

    Parameters
    ----------
    sums : float64 array of shape (methods, fields) or (methods,)
        Sums of each method, or scores.
    task : Task
        Which test that was.
    state : RecordDict
        The node's own state.
    """
    state[_NAME] = ArrayRecord({_NAME: Array.from_numpy_ndarray(sums)})
    state[_TESTED] = ConfigRecord({_TESTED: name_of_test(task)})


def kept(state: RecordDict, tested: str) -> Floats:
    """Give back what was kept of a test.

    Parameters
    ----------
    state : RecordDict
        The node's own state.
    tested : str
        Which test is asked about (`name_of_test`).

    Raises
    ------
    FederationError
        Nothing was kept, or of another test.
    """
    found = state.array_records.get(_NAME)
    if found is None or state.config_records[_TESTED][_TESTED] != tested:
        other = "none" if found is None else "those of another test"
        raise FederationError(f"found {other} here; wanted the results of the final test")
    return found[_NAME].numpy()


def kept_encoded(
    state: RecordDict,
    tested: str,
    *,
    unit_powers: Sequence[int],
    unit_weight: float,
    num_clients: int,
) -> Encoded:
    """Write the sums that were kept as whole numbers, shape (methods x fields,).

    Parameters
    ----------
    state : RecordDict
        The node's own state.
    tested : str
        Which test is asked about (`name_of_test`).
    unit_powers : sequence of int
        By field, the power of the data's unit that it is counted in.
    unit_weight : float
        The public unit that sums are relative to.
    num_clients : int
        Summands at most.

    Raises
    ------
    FederationError
        None were kept of that test.
    """
    scales = unit_weight ** np.array(unit_powers)
    return encode((kept(state, tested) / scales).ravel(), num_clients=num_clients)


def summed(
    encoded: Encoded, *, unit_powers: Sequence[int], unit_weight: float, num_clients: int
) -> Floats:
    """Read the sum of all clients' numbers: shape (methods, fields)."""
    values = decode(encoded, num_clients=num_clients).reshape(-1, len(unit_powers))
    return values * unit_weight ** np.array(unit_powers)
