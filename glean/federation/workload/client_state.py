"""What a client keeps from one message to the next, in its node's own state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from numpy.typing import NDArray

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class ClientState:
    """Named texts and arrays, each kept until it is put anew; lost with the node's state.

    Parameters
    ----------
    record : RecordDict
        The node's own state, as Flower hands it out with a message.
    """

    record: RecordDict

    def text(self, name: str) -> str:
        """Give the text kept under a name; "" where there is none."""
        found = self.record.get(name)
        return str(found[name]) if isinstance(found, ConfigRecord) else ""

    def arrays(self, name: str) -> dict[str, Floats]:
        """Give the arrays kept with a text; empty where there are none."""
        found = self.record.array_records.get(_arrays_of(name))
        return {key: array.numpy() for key, array in found.items()} if found else {}

    def put(self, name: str, text: str, arrays: Mapping[str, Floats]) -> None:
        """Keep a text and what belongs to it."""
        made = {key: Array.from_numpy_ndarray(array) for key, array in arrays.items()}
        self.record[name] = ConfigRecord({name: text})
        self.record[_arrays_of(name)] = ArrayRecord(made)


def _arrays_of(name: str) -> str:
    return f"{name}-arrays"
