"""A bakery's work on a model of trees: follow it, score it, grow or sum up new ones."""

from __future__ import annotations

import logging
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from glean.demand.binned_windows import BinnedWindows, Rows
from glean.demand.error_parts import error_part, error_part_length
from glean.demand.histogram_limits import histogram_request
from glean.demand.margin_cache import MarginCache
from glean.errors import ModelError
from glean.features.definition import FeatureDefinition
from glean.federation.wire.messages import Task, identity_of
from glean.federation.wire.sum_messages import SumTask
from glean.federation.wire.sum_request import (
    DAY_GRADIENTS,
    DAY_HESSIANS,
    HISTOGRAMS,
    LEAF_GRADIENTS,
    LEAVES,
    PRESENCE,
    SumRequest,
)
from glean.federation.workload.client_state import ClientState
from glean.learning.bin_layout import BinLayout
from glean.learning.boosting import TreeLearner
from glean.learning.day_sums import DaySums
from glean.learning.fixed_point import FixedPoint
from glean.learning.forest import Forest
from glean.learning.histogram_request import HistogramRequest
from glean.learning.oblivious_trees import LEAVES_PER_ROUND, random_trees
from glean.learning.structure import leaf_count, node_count, on_public_edges, structure_of
from glean.learning.tree import Tree
from glean.learning.xgboost_input import LearnedRows, check_names
from glean.memory_limit import Kept, KeptOnDisk
from glean.metrics import ErrorSums
from glean.privacy.privacy_ledger import Days
from glean.settings import BoostingSettings

LOG = logging.getLogger("glean")

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Encoded = NDArray[np.int64]

PROPOSED_SHARE = 0.1
"""Of `min-child-weight`: what a leaf of a proposed structure holds at least of its proposer's rows;
chosen on validation windows."""


_JOB = "glean-job-margins"


@lru_cache(maxsize=4)
def _read(content: bytes) -> Forest:
    """Read a model; in one process, all bakeries get the same bytes one after the other."""
    return Forest.from_bytes(content)


class TreeTrainer:
    """Works on one bakery's rows.

    Parameters
    ----------
    training, validation : callable
        Give its rows by window. They aren't kept: what is, is made of them.
    definition : FeatureDefinition
        What their columns are.
    boosting : BoostingSettings
        How trees are grown.
    device : str
        "cpu" or "gpu".
    seed, rounds : int
        The run's, from which random trees are drawn.
    noised : bool
        Whether sums carry noise.

    Attributes
    ----------
    device_used : str
        Where trees were grown, in XGBoost's words; "" before the first.

    Raises
    ------
    SettingsError
        A covariate's name is one that XGBoost refuses.
    """

    def __init__(
        self,
        training: Rows,
        validation: Rows,
        *,
        definition: FeatureDefinition,
        boosting: BoostingSettings,
        device: str,
        seed: int = 0,
        rounds: int = 0,
        noised: bool = False,
    ) -> None:
        check_names(definition.names)
        self.device_used = ""
        self._boosting = boosting
        self._device = device
        self._seed = seed
        self._rounds = rounds
        self._noised = noised
        self._training_rows = training
        self._validation_rows = validation
        self._layout = BinLayout(definition, boosting.bins)
        self._state: ClientState | None = None
        self._kept = KeptOnDisk[BinnedWindows]()
        self._learner = Kept[TreeLearner]()

    @property
    def _windows(self) -> BinnedWindows:
        rows, how = self._training_rows, (self._layout, self._boosting)
        return self._kept.get(
            lambda: BinnedWindows.of(rows, self._validation_rows, *how, noised=self._noised),
            lambda arrays: BinnedWindows.of_arrays(arrays, rows, *how),
        )

    def totals(self) -> tuple[int, float]:
        """Give the number of rows to learn from and the sum of their weights."""
        return self._windows.totals

    def begin(self, task: Task, *, seed: int) -> None:
        """Keep the margins of the model caught up with, from which what is learned follows."""
        del seed
        assert self._state is not None, "the model was caught up with"
        self._state.put(_JOB, task.state, {"training": self._margins.training})

    def train(
        self, task: Task, *, seed: int, structures_only: bool = False, from_job: bool = False
    ) -> bytes:
        """Grow this round's trees on what the model caught up with leaves unexplained.

        Leaves of structures that are to be refitted hold a fraction of the rows that they will be
        refitted on.
        """
        share = PROPOSED_SHARE if structures_only else 1.0
        margin = self._learned_from(job=from_job)
        learner = self._learner.get(lambda: self._learns(self._windows.learned()))
        grown = learner.grow(
            margin,
            learning_rate=task.learning_rate,
            steps=self._boosting.trees_per_round,
            seed=seed,
            min_child_weight=share * self._boosting.min_child_weight,
        )
        self.device_used = self.device_used or learner.device_used
        made = structure_of if structures_only else on_public_edges
        return made(grown, self._layout).to_bytes()

    def validate(self) -> ErrorSums:
        """Sum the errors of the model caught up with over the validation rows."""
        return ErrorSums.of(self._windows.units, self._predict_validation())

    def length(self, part: str, task: SumTask, request: SumRequest) -> int:
        """Say how many numbers a part of the vector has."""
        if part == LEAVES:
            return 2 * leaf_count(_read(task.structures))
        if part == LEAF_GRADIENTS:
            return leaf_count(_read(task.structures))
        if part == PRESENCE:
            return node_count(_read(task.structures))
        if part == HISTOGRAMS:
            return self._request(request).size(self._layout)
        if part in (DAY_HESSIANS, DAY_GRADIENTS):
            rounds = self._rounds if part == DAY_HESSIANS else 1
            return LEAVES_PER_ROUND * rounds
        return error_part_length(part)

    def contribute(
        self,
        part: str,
        task: SumTask,
        request: SumRequest,
        *,
        weight: float,
        seed: int,
        days: Days | None = None,
        discount: float | None = None,
    ) -> Encoded:
        """Sum gradients and hessians by leaf or bin, or errors; or say which nodes have rows."""
        del weight, seed  # rows carry their weights; nothing is drawn here
        if part == PRESENCE:
            return self._windows.training.occupied_nodes(_read(task.structures).trees)
        if part == DAY_HESSIANS:
            rounds = range(1, self._rounds + 1)
            drawn = map(self._random_trees, rounds)
            return np.concatenate([self._day_sums.hessians(trees, of=days) for trees in drawn])
        if part == DAY_GRADIENTS:
            trees = self._random_trees(task.round)
            return self._day_sums.gradients(
                self._learned_from(job=discount is not None),
                trees,
                of=days,
                discount=1.0 if discount is None else discount,
            )
        if part not in (LEAVES, LEAF_GRADIENTS, HISTOGRAMS):
            return error_part(part, self._predict_validation(), self._windows.units, request)
        scale = FixedPoint.for_rows(request.rows)
        if part != HISTOGRAMS:
            sums = self._windows.training.leaf_sums(
                self._learned_from(job=discount is not None),
                _read(task.structures).trees,
                # Each row counts less, before it is rounded: all trees have the same rows then.
                unit_weight=request.unit_weight / (1.0 if discount is None else discount),
                scale=scale,
            )
            return sums.ravel() if part == LEAVES else sums[:, 0]
        return self._windows.training.histograms(
            self._margins.training,
            self._request(request),
            unit_weight=request.unit_weight,
            scale=scale,
        )

    def catch_up(self, task: Task, state: ClientState) -> bool:
        """Add the trees of a task; False where it continues a state not held here."""
        # The same trees forecast otherwise on the features of another spec.
        wanted, base = (f"{name} {identity_of(task.spec)}" for name in (task.state, task.base))
        self._state, windows, known = state, self._windows, MarginCache.state_in(state)
        if known == wanted:
            return True
        if task.base and known != base:
            return False
        if task.base:
            held = self._margins
        else:
            held = MarginCache("", windows.training.start(), windows.validation.start())
        windows.margins = self._added(windows, held, _read(task.model), wanted)
        windows.margins.save(state)
        return True

    def _random_trees(self, number: int) -> tuple[Tree, ...]:
        """Draw the random trees of a round here, so that the server has no say in them."""
        if not 1 <= number <= self._rounds:
            raise ModelError(f"found the round {number}; wanted one of {self._rounds}")
        return random_trees(self._layout, seed=self._seed, number=number)

    @property
    def _day_sums(self) -> DaySums:
        found = self._windows.day_sums
        if found is None:
            found = DaySums(self._training_rows(), self._layout)
        return found

    @property
    def _margins(self) -> MarginCache:
        """How far this bakery is; where this process got it there itself, from memory."""
        assert self._state is not None, "the model was caught up with"
        windows, name = self._windows, MarginCache.state_in(self._state)
        if windows.margins is None or windows.margins.state != name:
            windows.margins = MarginCache.load(self._state)
        assert windows.margins is not None, "the model was caught up with"
        return windows.margins

    def _learned_from(self, *, job: bool) -> Singles:
        """Give the margins of the model caught up with, or of the one that the job began with."""
        if not job:
            return self._margins.training
        assert self._state is not None, "the model was caught up with"
        return self._state.arrays(_JOB)["training"].astype(np.float32, copy=False)

    def _predict_validation(self) -> Floats:
        """Forecast the validation rows, units."""
        return self._windows.predict(self._margins, objective=self._boosting.objective)

    def _learns(self, rows: LearnedRows) -> TreeLearner:
        return TreeLearner(rows, boosting=self._boosting, device=self._device)

    def _request(self, request: SumRequest) -> HistogramRequest:
        return histogram_request(request.histogram_request, self._layout, self._boosting)

    def _added(
        self, windows: BinnedWindows, held: MarginCache, news: Forest, state: str
    ) -> MarginCache:
        """Add trees to the margins: on the bins, unless they began elsewhere than in this Glean."""
        try:
            return MarginCache(
                state,
                windows.training.add(held.training, news.trees),
                windows.validation.add(held.validation, news.trees),
            )
        except ModelError:
            LOG.debug("trees off the public edges are followed by XGBoost")
            return MarginCache(
                state,
                self._learns(self._training_rows()).add(held.training, news),
                self._learns(self._validation_rows()).add(held.validation, news),
            )
