"""One bakery as a client of the federation: its facts, its trainer, its final test."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd

from glean.demand.final_evaluation import final_test, start_test
from glean.demand.spec_check import checked_definition
from glean.demand.tree_trainer import TreeTrainer
from glean.demand.weight_trainer import WeightTrainer
from glean.errors import FederationError, SettingsError
from glean.features.bakery_rows import BakeryRows
from glean.features.definition import FeatureDefinition
from glean.federation.wire.messages import FinalTask, Task
from glean.federation.workload.protocols import FinalScores
from glean.privacy.privacy_ledger import SCORED, TRAINING, Days
from glean.runs.client_home import NOBODY, Vouched

Trainer = TreeTrainer | WeightTrainer


class BakeryPartition:
    """A bakery's data.

    Parameters
    ----------
    rows : BakeryRows
        Its rows by window.
    """

    def __init__(self, rows: BakeryRows) -> None:
        self.rows = rows
        self.name = rows.name
        self.own_table = rows.sales.own_table
        self._trainers: dict[str, Trainer] = {}

    @property
    def why_untrained(self) -> str:
        """Why there is nothing to learn from; "" where there is."""
        return self.rows.why_untrained

    def days(self, window: str) -> Days:
        """Give the dates of the table in a window."""
        dates = self.rows.sales.table.rows["date"]
        trains = dates < self.rows.windows.validation_start
        inside = {TRAINING: trains, SCORED: ~trains}[window]
        return frozenset(str(date) for date in pd.DatetimeIndex(dates[inside].unique()).date)

    def facts(self) -> dict[str, Any]:
        """Say whether the season can be learned here.

        Raises
        ------
        SettingsError
            The table lacks a covariate that the run lists.
        """
        table = self.rows.sales.table.rows
        numbers = table.select_dtypes("number").columns
        missing = [name for name in self.rows.settings.covariates if name not in numbers]
        if missing:
            raise SettingsError(
                f"covariates: found {', '.join(missing)}; the table of {self.name} has "
                f"{', '.join(table.columns)}, of which a covariate must be a number"
            )
        return {"knows_season": self.rows.windows.knows_season}

    def trainer(self, spec: str) -> Trainer:
        """Give what learns and scores here, made once."""
        if spec not in self._trainers:
            self._trainers[spec] = self._made(self._definition(spec))
        return self._trainers[spec]

    def weight(self, spec: str) -> float:
        """Total weight of the training rows.

        Raises
        ------
        FederationError
            There is none although the bakery traded.
        """
        _, weight = self.trainer(spec).totals()
        if weight <= 0 and self.rows.trains:
            raise FederationError(
                f"{self.name} isn't trained on: no sale has a level to be compared with"
            )
        return weight

    def final_test(self, task: FinalTask, *, run_id: int, vouched: Vouched = NOBODY) -> FinalScores:
        """Keep the final model at home, and score it and its baselines on the test window."""
        return final_test(self.rows, task, run_id=run_id, vouched=vouched)

    def start_test(self, task: Task) -> FinalScores:
        """Score the model that the run started from on the test window."""
        return start_test(self.rows, task)

    def _definition(self, spec: str) -> FeatureDefinition:
        return checked_definition(FeatureDefinition.from_json(spec), self.rows.settings)

    def _made(self, definition: FeatureDefinition) -> Trainer:
        settings = self.rows.settings
        windows = partial(self.rows.training, definition), partial(self.rows.validation, definition)
        if settings.rounds.kind.averages_weights:
            return WeightTrainer(*windows, kind=settings.rounds.fedavg_model)
        return TreeTrainer(
            *windows,
            definition=definition,
            boosting=settings.boosting,
            device=settings.tree_device,
            seed=settings.seed,
            rounds=settings.rounds.num_server_rounds,
            noised=settings.noise.wanted,
        )
