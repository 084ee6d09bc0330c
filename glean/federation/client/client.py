"""One bakery's side of the rounds: its rows, its answers to the server's tasks."""

from __future__ import annotations

from dataclasses import astuple
from functools import cached_property, lru_cache

import numpy as np
from flwr.app import RecordDict
from numpy.typing import NDArray

from glean.aggregation.update import share_weight
from glean.errors import FederationError, SettingsError
from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix, build_features
from glean.federation.client.tree_trainer import TreeTrainer
from glean.federation.client.weight_trainer import WeightTrainer
from glean.federation.wire.messages import ClientInfo, EvaluateReply, Task, TrainReply
from glean.metrics import ErrorSums
from glean.node_settings import NodeSettings
from glean.runs.code_version import code_fingerprint
from glean.sales.partitions import BakerySales, bakery_of_node
from glean.sales.stock_outs import with_demand
from glean.sales.table import SalesTable
from glean.sales.windows import MIN_TRADING_DAYS, Windows, windows_of
from glean.seeds import derived_seed
from glean.settings import RunSettings

Floats = NDArray[np.float64]

CACHED_CLIENTS = 10_000
"""Bakeries whose rows one process keeps; in a simulation it plays many of them, each in every
exchange, and making one anew takes longer than all else in it."""


class Client:
    """A bakery in a run.

    Parameters
    ----------
    node : NodeSettings
        The node that plays it.
    sales : BakerySales
        Its sales, already cut if it plays a newcomer.
    windows : Windows
        Its windows.
    settings : RunSettings
        The run's settings.
    """

    def __init__(
        self, node: NodeSettings, sales: BakerySales, windows: Windows, settings: RunSettings
    ) -> None:
        self.node = node
        self.sales = sales
        self.windows = windows
        self.settings = settings
        self._features: dict[str, FeatureMatrix] = {}
        self._training: dict[str, FeatureMatrix] = {}
        self._validation: dict[str, FeatureMatrix] = {}
        self._trainers: dict[str, TreeTrainer | WeightTrainer] = {}

    def info(self) -> ClientInfo:
        """Say who this is and whether there is enough to learn from.

        Raises
        ------
        SettingsError
            The table lacks a covariate that the run lists.
        """
        columns = self.sales.table.rows.columns
        numbers = self.sales.table.rows.select_dtypes("number").columns
        missing = [name for name in self.settings.covariates if name not in numbers]
        if missing:
            raise SettingsError(
                f"covariates: found {', '.join(missing)}; the table of {self.sales.name} has "
                f"{', '.join(columns)}, of which a covariate must be a number"
            )
        return ClientInfo(
            bakery=self.sales.name,
            code=code_fingerprint(),
            partition=self.node.partition,
            trains=self.trains,
            knows_season=self.windows.knows_season,
            own_table=self.sales.own_table,
            note=self._why_untrained,
        )

    def features(self, definition: FeatureDefinition) -> FeatureMatrix:
        """All rows of the bakery, made once."""
        key = definition.identity
        if key not in self._features:
            self._features[key] = build_features(
                self._demand_table(), definition, region=self.sales.region
            )
        return self._features[key]

    def _demand_table(self) -> SalesTable:
        """Sales, or an estimate of what was asked for where a product sold out."""
        as_sold = self.settings.table.stock_outs == "as-sold"
        return self.sales.table if as_sold else with_demand(self.sales.table)

    def training(self, definition: FeatureDefinition) -> FeatureMatrix:
        """Rows to learn from, made once."""
        key = definition.identity
        if key not in self._training:
            features = self.features(definition)
            self._training[key] = features.between(end=self.windows.validation_start)
        return self._training[key]

    def validation(self, definition: FeatureDefinition) -> FeatureMatrix:
        """Rows to choose by, made once."""
        key = definition.identity
        if key not in self._validation:
            start, end = self.windows.validation_start, self.windows.test_start
            self._validation[key] = self.features(definition).between(start, end)
        return self._validation[key]

    def test(self, definition: FeatureDefinition) -> FeatureMatrix:
        """Rows to be judged by, once, at the end."""
        return self.features(definition).between(start=self.windows.test_start)

    def train(self, task: Task, state: RecordDict) -> TrainReply:
        """Grow the trees that the global model lacks here.

        Raises
        ------
        FederationError
            There are no rows to learn from.
        """
        definition = FeatureDefinition.from_json(task.definition)
        weight = self.check_trains(definition)
        work = self.trainer_for(definition)
        assert isinstance(work, TreeTrainer), "weights are averaged in steps"
        model = work.train(task, state, seed=self.training_seed(task.round))
        return TrainReply(
            bakery=self.sales.name,
            code=code_fingerprint(),
            definition=definition.identity,
            lacks_model=model is None,
            weight=weight,
            device=work.device_used,
            model=model or b"",
        )

    def check_trains(self, definition: FeatureDefinition) -> float:
        """Give the bakery's say in training: its total weight, to two significant digits.

        Raises
        ------
        FederationError
            There are no rows to learn from.
        """
        weight = float(self.training(definition).weight.sum())
        if not self.trains or weight <= 0:
            reason = self._why_untrained or "no sale has a level to be compared with"
            raise FederationError(f"{self.sales.name} isn't trained on: {reason}")
        return share_weight(weight)

    def training_seed(self, number: int) -> int:
        """Seed of whatever is drawn here in the training of a round."""
        return derived_seed(self.settings.seed, "train", number, self.sales.name)

    def score(self, task: Task, state: RecordDict) -> EvaluateReply:
        """Sum the errors of the global model over the validation window."""
        definition = FeatureDefinition.from_json(task.definition)
        rows = self.validation(definition)
        relative = self._forecast(task, definition, state)
        sums = ErrorSums()
        if relative is not None:
            sums = ErrorSums.of(rows.units, np.maximum(relative, 0.0) * rows.level)
        return EvaluateReply(
            bakery=self.sales.name,
            code=code_fingerprint(),
            lacks_model=relative is None,
            sums=astuple(sums),
        )

    def _forecast(
        self, task: Task, definition: FeatureDefinition, state: RecordDict
    ) -> Floats | None:
        work = self.trainer_for(definition)
        return work.forecast(task, state) if isinstance(work, TreeTrainer) else work.forecast(task)

    def trainer_for(self, definition: FeatureDefinition) -> TreeTrainer | WeightTrainer:
        """Give what learns and scores here, made once."""
        key = definition.identity
        if key not in self._trainers:
            windows = (self.training(definition), self.validation(definition))
            rounds = self.settings.rounds
            self._trainers[key] = (
                WeightTrainer(*windows, kind=rounds.fedavg_model)
                if rounds.kind.averages_weights
                else TreeTrainer(
                    *windows,
                    boosting=self.settings.boosting,
                    device=self.settings.tree_device,
                )
            )
        return self._trainers[key]

    @property
    def trains(self) -> bool:
        """Whether there is something to learn from."""
        return not self._why_untrained

    @cached_property
    def _why_untrained(self) -> str:
        """Why there is nothing to learn from; "" where there is."""
        test = self.windows.test_start.date()
        if not self.windows.trains:
            return (
                f"{self.windows.trading_days} trading days before {test}, where its test window "
                f"begins (test-days, test-start); wanted at least {MIN_TRADING_DAYS}"
            )
        rows = self.sales.table.rows
        if not (rows.loc[rows["date"] < self.windows.validation_start, "units"] > 0).any():
            return f"nothing sold before {self.windows.validation_start.date()}; wanted sales"
        return ""


@lru_cache(maxsize=CACHED_CLIENTS)
def client_of(
    node: NodeSettings, settings: RunSettings, *, newcomer: bool = False
) -> Client | None:
    """Open the bakery that a node plays; None for a spare node of a simulation."""
    sales = bakery_of_node(node, settings.table)
    if sales is None:
        return None
    windows = windows_of(sales.table, settings.windows)
    if newcomer:
        sales = sales.since(windows.test_start, days=settings.rounds.newcomer_days)
        windows = windows_of(sales.table, settings.windows)
    return Client(node, sales, windows, settings)


SPARE_NODE = ClientInfo(
    bakery="",
    code=code_fingerprint(),
    partition=0,
    trains=False,
    knows_season=False,
    own_table=False,
    note="",
)
"""How a node introduces itself when the run's table has fewer bakeries than the run has nodes."""
