"""A bakery's work on a model of trees: follow the model, score it, grow new trees on its rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from numpy.typing import NDArray

from glean.features.matrix import FeatureMatrix
from glean.federation.messages import Task
from glean.learning.boosting import TreeLearner
from glean.learning.forest import Forest
from glean.settings import BoostingSettings

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

_NAME = "glean-progress"
_ROWS = "glean-margins"


@dataclass(frozen=True)
class Progress:
    """How far a bakery has followed the model; stays in its node's own state.

    Parameters
    ----------
    state : str
        Name of the model's state.
    training, validation : float32 arrays of shape (rows,)
        Margins of that state on the bakery's training and validation rows.
    """

    state: str
    training: Singles
    validation: Singles

    @classmethod
    def load(cls, record: RecordDict) -> Progress | None:
        """Read it from a node's state; None where there is none."""
        if _NAME not in record.config_records:
            return None
        rows = record.array_records[_ROWS]
        state = str(record.config_records[_NAME]["state"])
        return cls(state, rows["training"].numpy(), rows["validation"].numpy())

    def save(self, record: RecordDict) -> None:
        """Write it into a node's state."""
        margins = {"training": self.training, "validation": self.validation}
        arrays = {name: Array.from_numpy_ndarray(margin) for name, margin in margins.items()}
        record[_NAME] = ConfigRecord({"state": self.state})
        record[_ROWS] = ArrayRecord(arrays)


@lru_cache(maxsize=2)
def _read(content: bytes) -> Forest:
    """Read a model; in one process, all bakeries get the same bytes one after the other."""
    return Forest.from_bytes(content)


class TreeWork:
    """Works on one bakery's rows.

    Parameters
    ----------
    training, validation : FeatureMatrix
        Its rows by window.
    boosting : BoostingSettings
        How trees are grown.
    device : str
        "cpu" or "gpu".
    """

    def __init__(
        self,
        training: FeatureMatrix,
        validation: FeatureMatrix,
        *,
        boosting: BoostingSettings,
        device: str,
    ) -> None:
        self._steps = boosting.trees_per_round
        self._training = TreeLearner(training, boosting=boosting, device=device)
        self._validation = TreeLearner(validation, boosting=boosting, device=device)

    @property
    def device_used(self) -> str:
        """Where trees were grown, in XGBoost's words; "" before the first."""
        return self._training.device_used

    def train(self, task: Task, record: RecordDict, *, seed: int) -> bytes | None:
        """Grow this round's trees; None where the task continues a state not held here."""
        progress = self._follow(task, record)
        if progress is None:
            return None
        new = self._training.grow(
            progress.training, learning_rate=task.learning_rate, steps=self._steps, seed=seed
        )
        return new.to_bytes()

    def forecast(self, task: Task, record: RecordDict) -> Floats | None:
        """Forecast the validation rows relative to their level; None as for `train`."""
        progress = self._follow(task, record)
        return None if progress is None else self._validation.relative(progress.validation)

    def _follow(self, task: Task, record: RecordDict) -> Progress | None:
        held = Progress.load(record)
        if held is not None and held.state == task.state:
            return held
        if task.base and (held is None or held.state != task.base):
            return None
        if not task.base:
            held = Progress("", self._training.start(), self._validation.start())
        assert held is not None, "a task without a base starts anew"
        news = _read(task.model)
        progress = Progress(
            task.state,
            self._training.add(held.training, news),
            self._validation.add(held.validation, news),
        )
        progress.save(record)
        return progress
