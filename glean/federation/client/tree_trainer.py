"""A bakery's work on a model of trees: follow it, score it, grow or sum up new ones."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from numpy.typing import NDArray

from glean.errors import ModelError
from glean.features.bin_layout import BinLayout
from glean.features.matrix import FeatureMatrix
from glean.federation.wire.messages import Task
from glean.federation.wire.sum_request import SumRequest
from glean.learning.boosting import TreeLearner
from glean.learning.fixed_point import FixedPoint
from glean.learning.forest import Forest
from glean.learning.gradient_histograms import GradientHistograms
from glean.learning.histogram_request import HistogramRequest
from glean.learning.structure import leaf_count, on_public_edges, structure_of
from glean.settings import BoostingSettings

LOG = logging.getLogger("glean")

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Words = NDArray[np.int64]

PROPOSED_SHARE = 0.1
"""Of `min-child-weight`: what a leaf of a proposed structure holds at least of its proposer's rows;
chosen on validation windows."""

_NAME = "glean-progress"
_ROWS = "glean-margins"


@dataclass(frozen=True)
class MarginCache:
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

    @staticmethod
    def state_in(record: RecordDict) -> str:
        """Name of the state that a node's state is about; "" where there is none."""
        return str(record[_NAME]["state"]) if _NAME in record else ""

    @classmethod
    def load(cls, record: RecordDict) -> MarginCache | None:
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


@lru_cache(maxsize=4)
def _read(content: bytes) -> Forest:
    """Read a model; in one process, all bakeries get the same bytes one after the other."""
    return Forest.from_bytes(content)


@lru_cache(maxsize=2)
def _histogram_request(growth: str, layout: BinLayout) -> HistogramRequest:
    """Read what is wanted; in one process, all bakeries get the same words."""
    return HistogramRequest.from_json(growth, layout=layout)


class TreeTrainer:
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
        self._boosting = boosting
        self._validation_rows = validation
        self._rows = training
        self._held: MarginCache | None = None
        self._training = TreeLearner(training, boosting=boosting, device=device)
        self._validation = TreeLearner(validation, boosting=boosting, device=device)

    @property
    def device_used(self) -> str:
        """Where trees were grown, in XGBoost's words; "" before the first."""
        return self._training.device_used

    @cached_property
    def _layout(self) -> BinLayout:
        return BinLayout(self._rows.definition, self._boosting.bins)

    @cached_property
    def _sums(self) -> GradientHistograms:
        return GradientHistograms(self._rows, self._layout, self._boosting)

    @cached_property
    def _validation_sums(self) -> GradientHistograms:
        return GradientHistograms(self._validation_rows, self._layout, self._boosting)

    def train(self, task: Task, record: RecordDict, *, seed: int) -> bytes | None:
        """Grow this round's trees; None where the task continues a state not held here."""
        progress = self.catch_up(task, record)
        if progress is None:
            return None
        least = self._boosting.min_child_weight
        grown = self._grown(task, progress, seed=seed, min_child_weight=least)
        return on_public_edges(grown, self._layout).to_bytes()

    def propose(self, task: Task, progress: MarginCache, *, seed: int) -> bytes:
        """Grow this round's trees, and give their structures away.

        Their leaves hold a fraction of the rows that they will be refitted on.
        """
        least = PROPOSED_SHARE * self._boosting.min_child_weight
        grown = self._grown(task, progress, seed=seed, min_child_weight=least)
        return structure_of(grown, self._layout).to_bytes()

    def leaf_sums(self, progress: MarginCache, structures: bytes, orders: SumRequest) -> Words:
        """Sum gradients and hessians by leaf of the structures, shape (2 x leaves,)."""
        sums = self._sums.leaf_sums(
            progress.training,
            _read(structures).trees,
            unit_weight=orders.unit_weight,
            scale=FixedPoint.for_rows(orders.rows),
        )
        return sums.ravel()

    def leaf_sums_length(self, structures: bytes) -> int:
        """Length of what `leaf_sums` gives."""
        return 2 * leaf_count(_read(structures))

    def histograms(self, progress: MarginCache, orders: SumRequest) -> Words:
        """Sum gradients and hessians by bin of the nodes that are wanted."""
        return self._sums.histograms(
            progress.training,
            _histogram_request(orders.histogram_request, self._layout),
            unit_weight=orders.unit_weight,
            scale=FixedPoint.for_rows(orders.rows),
        )

    def histogram_length(self, orders: SumRequest) -> int:
        """Length of what `histograms` gives."""
        return _histogram_request(orders.histogram_request, self._layout).size(self._layout)

    def forecast(self, task: Task, record: RecordDict) -> Floats | None:
        """Forecast the validation rows relative to their level; None as for `train`."""
        progress = self.catch_up(task, record)
        return None if progress is None else self.validate(progress)

    def validate(self, progress: MarginCache) -> Floats:
        """Forecast the validation rows relative to their level."""
        return self._validation.relative(progress.validation)

    def catch_up(self, task: Task, record: RecordDict) -> MarginCache | None:
        """Catch up with the model of a task; None where it continues a state not held here."""
        if MarginCache.state_in(record) == task.state:
            return self._cached(record)
        held = None if not task.base else self._cached(record)
        if task.base and (held is None or held.state != task.base):
            return None
        if held is None:
            held = MarginCache("", self._training.start(), self._validation.start())
        progress = self._added(held, _read(task.model), task.state)
        progress.save(record)
        self._held = progress
        return progress

    def _added(self, held: MarginCache, news: Forest, state: str) -> MarginCache:
        """Add trees to the margins: on the bins, unless they began elsewhere than in this Glean."""
        try:
            return MarginCache(
                state,
                self._sums.add(held.training, news.trees),
                self._validation_sums.add(held.validation, news.trees),
            )
        except ModelError:
            LOG.debug("trees off the public edges are followed by XGBoost")
            return MarginCache(
                state,
                self._training.add(held.training, news),
                self._validation.add(held.validation, news),
            )

    def _cached(self, record: RecordDict) -> MarginCache | None:
        """Read how far this bakery is; where this process got it there itself, from memory."""
        state = MarginCache.state_in(record)
        if state and (self._held is None or self._held.state != state):
            self._held = MarginCache.load(record)
        return self._held if state else None

    def _grown(
        self, task: Task, progress: MarginCache, *, seed: int, min_child_weight: float
    ) -> Forest:
        return self._training.grow(
            progress.training,
            learning_rate=task.learning_rate,
            steps=self._boosting.trees_per_round,
            seed=seed,
            min_child_weight=min_child_weight,
        )
