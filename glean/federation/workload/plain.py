"""The plain case of a workload: arrays, weights that are averaged, one spec for all clients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glean.errors import ModelError, SettingsError
from glean.federation.wire.messages import Task
from glean.federation.workload.final_rows import final_scores
from glean.federation.workload.protocols import FinalScores, Wording
from glean.federation.workload.weight_trainer import WeightTrainer
from glean.learning.model_weights import Weights
from glean.metric_sums import MetricSums
from glean.node_settings import NodeSettings
from glean.privacy.privacy_ledger import Days
from glean.runs.client_home import NOBODY, Vouched
from glean.settings import RunSettings

Rows = tuple[NDArray[np.float64], NDArray[np.int64]]
"""Inputs of shape (rows, columns) and labels of shape (rows,)."""


class PlainPartition(WeightTrainer):
    """One client's rows by window, and its trainer; a workload says how weights fit and score.

    Parameters
    ----------
    workload : PlainWorkload
        What is learned.
    name : str
        Name of the client.
    training, validation, test : Rows
        Its rows.
    """

    own_table = False

    def __init__(
        self, workload: PlainWorkload, name: str, training: Rows, validation: Rows, test: Rows
    ) -> None:
        super().__init__()
        self._workload = workload
        self.name = name
        self._training, self._validation, self._test = training, validation, test

    @property
    def why_untrained(self) -> str:
        """Why there is nothing to learn from; "" where there is."""
        return "" if len(self._training[0]) else "it has no training rows; wanted one at least"

    def days(self, _window: str) -> Days:
        """Have no dates: weights carry no noise."""
        return frozenset()

    def facts(self) -> dict[str, Any]:
        """Nothing has to be agreed on."""
        return {}

    def trainer(self, _spec: str) -> PlainPartition:
        """Learn here."""
        return self

    def weight(self, _spec: str) -> float:
        """Every row weighs the same."""
        return float(len(self._training[0]))

    def totals(self) -> tuple[int, float]:
        """Count the training rows."""
        return len(self._training[0]), float(len(self._training[0]))

    def read(self, content: bytes) -> Weights:
        """Read a file of weights."""
        return self._workload.read(content)

    def fit(self, weights: Weights, *, learning_rate: float, seed: int, number: int) -> Weights:
        """Train weights further on the training rows for one round, whichever it is."""
        del number
        return self._workload.fit(weights, self._training, learning_rate=learning_rate, seed=seed)

    def score(self, weights: Weights) -> MetricSums:
        """Score weights on the validation rows."""
        return self._workload.score(weights, self._validation)

    def final_test(self, task: Task, *, run_id: int, vouched: Vouched = NOBODY) -> FinalScores:
        """Score the final model on the test rows; nothing is kept."""
        del run_id, vouched
        return self.start_test(task)

    def start_test(self, task: Task) -> FinalScores:
        """Score a model on the test rows."""
        return final_scores({"federated": self._workload.score(self.read(task.model), self._test)})


class PlainWorkload(ABC):
    """A `Workload` of averaged weights on arrays that a simulation splits over its clients."""

    metrics: type[MetricSums]
    wording = Wording()
    purpose = ""
    final_methods = ("federated",)
    default_clients = 5

    kind: ClassVar[str]
    shapes: ClassVar[Mapping[str, tuple[int, ...]]]

    @abstractmethod
    def split(self, clients: int, settings: RunSettings) -> Sequence[tuple[Rows, Rows, Rows]]:
        """Give the rows of each client for training, validation and test."""

    @abstractmethod
    def fit(self, weights: Weights, rows: Rows, *, learning_rate: float, seed: int) -> Weights:
        """Train weights further on a client's rows for one round."""

    @abstractmethod
    def score(self, weights: Weights, rows: Rows) -> MetricSums:
        """Score weights on rows."""

    def final_unit_powers(self, _spec: str) -> tuple[int, ...]:
        """By field of the sums, the power of the data's unit."""
        return self.metrics.UNIT_POWERS

    def check(self, settings: RunSettings) -> None:
        """Refuse a sales table and newcomers, neither of which this workload has.

        Raises
        ------
        SettingsError
            There is one, or there are some.
        """
        name, newcomers = settings.workload, settings.rounds.newcomer_fraction
        if settings.table.sales:
            raise SettingsError(
                f"sales: found {settings.table.sales!r}; workload={name} brings its own data: "
                "wanted no sales table"
            )
        if newcomers:
            raise SettingsError(
                f"newcomer-fraction: found {newcomers:g}; clients of workload={name} have no "
                "history that could be cut short: wanted 0"
            )

    def count_clients(self, _settings: RunSettings, wanted: int | None) -> int:
        """As many clients as are wanted."""
        return wanted or self.default_clients

    def open_partition(
        self, node: NodeSettings, settings: RunSettings, *, newcomer: bool
    ) -> PlainPartition:
        """Give the share of the data that a node has.

        Raises
        ------
        SettingsError
            As `check`; or the node has a table of its own, or isn't told among how many clients
            the data is split.
        """
        del newcomer
        self.check(settings)
        if node.sales:
            raise SettingsError(
                f"node config sales: found {node.sales!r}; workload={settings.workload} brings its "
                "own data: wanted no table"
            )
        if node.partition >= node.partitions:
            raise SettingsError(
                f"node config num-partitions: found {node.partitions}; wanted the number of "
                f"clients, above partition-id={node.partition}"
            )
        rows = self.split(node.partitions, settings)
        return PlainPartition(self, f"client {node.partition + 1}", *rows[node.partition])

    def negotiate(self, _facts: Sequence[Mapping[str, Any]], _settings: RunSettings) -> str:
        """Give the one spec that there is."""
        return "{}"

    def first_model(self, spec: str, _settings: RunSettings) -> Weights:
        """Begin with zeros."""
        zeros = {name: np.zeros(shape, np.float32) for name, shape in self.shapes.items()}
        return Weights(self.kind, spec, zeros)

    def read(self, content: bytes) -> Weights:
        """Read a file of weights that may come from anyone.

        Raises
        ------
        ModelError
            As `Weights.from_npz`, or they are of another kind.
        """
        return Weights.from_npz(content, shapes_of=self._shapes_of)

    def read_model(self, content: bytes, _settings: RunSettings) -> Weights:
        """Read a model file that a run can go on from."""
        return self.read(content)

    def _shapes_of(self, kind: str, _spec: str) -> Mapping[str, tuple[int, ...]]:
        if kind != self.kind:
            raise ModelError(f"found weights of the kind {kind!r:.80}; wanted {self.kind!r}")
        return self.shapes
