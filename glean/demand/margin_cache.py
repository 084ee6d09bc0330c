"""How far a bakery has followed a model of trees, from one message to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glean.federation.workload.client_state import ClientState

Singles = NDArray[np.float32]

_NAME = "glean-margins"


@dataclass(frozen=True)
class MarginCache:
    """How far a bakery has followed the model; stays in its node's own state.

    Parameters
    ----------
    state : str
        Name of the model's state, and of the spec by which it forecasts.
    training, validation : float32 arrays of shape (rows,)
        Margins of that state on the bakery's training and validation rows.
    """

    state: str
    training: Singles
    validation: Singles

    @staticmethod
    def state_in(kept: ClientState) -> str:
        """Name of the state that a node's state is about; "" where there is none."""
        return kept.text(_NAME)

    @classmethod
    def load(cls, kept: ClientState) -> MarginCache | None:
        """Read it from a node's state; None where there is none."""
        state = kept.text(_NAME)
        return cls(state, **kept.arrays(_NAME)) if state else None

    def save(self, kept: ClientState) -> None:
        """Write it into a node's state."""
        kept.put(_NAME, self.state, {"training": self.training, "validation": self.validation})
