"""The demand of small bakeries, as a workload of the federation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from glean.demand.partition import BakeryPartition
from glean.demand.wording import PURPOSE, WORDING
from glean.errors import ModelError, SettingsError
from glean.evaluation.tables.backtest import CLIENT_METHODS
from glean.evaluation.tables.summed_scores import UNIT_POWERS
from glean.features.bakery_rows import bakery_rows_of, open_bakery_rows
from glean.features.definition import FeatureDefinition, check_covariates
from glean.learning.forest import Forest
from glean.learning.model_weights import Weights, is_npz
from glean.learning.weight_models import definition_of_weights, initial_weights, read_weights
from glean.metrics import ErrorSums
from glean.node_settings import NodeSettings
from glean.sales.calendars import public_holidays
from glean.sales.products import read_products
from glean.sales.reading.sales_file import read_sales
from glean.seeds import derived_seed
from glean.settings import RunSettings

DEFAULT_BAKERIES = 5
"""Synthetic bakeries of a simulation that isn't told how many."""


class DemandWorkload:
    """Sales tables, trees or weights on features of them, and WAPE."""

    metrics = ErrorSums
    wording = WORDING
    purpose = PURPOSE
    final_methods = CLIENT_METHODS

    def final_unit_powers(self, _spec: str) -> tuple[int, ...]:
        """By field of the final scores, the power of the unit that sales are counted in."""
        return UNIT_POWERS

    def check(self, settings: RunSettings) -> None:
        """Refuse covariates, a product list or a region that can't be used.

        Raises
        ------
        SettingsError, SalesError
            Says which.
        """
        check_covariates(settings.covariates)
        if settings.table.products:
            read_products(Path(settings.table.products))
        if settings.table.holiday_region:
            day = pd.Timestamp(settings.windows.test_start or "2024-01-01")
            public_holidays(settings.table.holiday_region, day, day)

    def count_clients(self, settings: RunSettings, wanted: int | None) -> int:
        """How many bakeries a simulation has: those of its table, or the first of them.

        Raises
        ------
        SettingsError
            The table has fewer, or ends before the test window.
        """
        if not settings.table.sales:
            return wanted or DEFAULT_BAKERIES
        table = read_sales(Path(settings.table.sales))
        last_day = table.rows["date"].max()
        if settings.windows.test_start and last_day < pd.Timestamp(settings.windows.test_start):
            raise SettingsError(
                f"test-start: found {settings.windows.test_start}; the table ends on "
                f"{last_day.date()}"
            )
        found = len(table.bakeries)
        if wanted is not None and wanted > found:
            raise SettingsError(f"--bakeries: found {wanted}; the table has {found}")
        return wanted or found

    def open_partition(
        self, node: NodeSettings, settings: RunSettings, *, newcomer: bool
    ) -> BakeryPartition | None:
        """Open the bakery that a node plays; None for a spare node of a simulation."""
        # The server opens a simulation's bakeries by their place alone, and shares their rows.
        # A bakery's own table has new rows in its next run, which the same process may see.
        opened = open_bakery_rows if node.sales else bakery_rows_of
        rows = opened(replace(node, partitions=0), settings, newcomer=newcomer)
        return BakeryPartition(rows) if rows is not None else None

    def negotiate(self, facts: Sequence[Mapping[str, Any]], settings: RunSettings) -> str:
        """Agree on the features: those of the season only where someone knows it.

        Raises
        ------
        SettingsError
            A covariate that the run lists can't be one.
        """
        check_covariates(settings.covariates)
        return FeatureDefinition(
            horizon_days=settings.windows.horizon_days,
            season=any(fact.get("knows_season") is True for fact in facts),
            covariates=settings.covariates,
        ).to_json()

    def first_model(self, spec: str, settings: RunSettings) -> Forest | Weights:
        """Make the model before the first round: it forecasts the level, or is drawn by seed."""
        definition = FeatureDefinition.from_json(spec)
        if settings.rounds.kind.averages_weights:
            seed = derived_seed(settings.seed, "initial weights")
            return initial_weights(settings.rounds.fedavg_model, definition, seed=seed)
        return Forest.empty(definition, objective=settings.boosting.objective)

    def read_model(self, content: bytes, settings: RunSettings) -> Forest | Weights:
        """Read a model file that a run with these settings can go on from.

        Raises
        ------
        ModelError
            The bytes are no model that this version of Glean made, or it is of another kind or
            loss, or forecasts from other features than the run.
        """
        model = read_weights(content) if is_npz(content) else Forest.from_bytes(content)
        for name, found, wanted in _traits(model, settings):
            if found != wanted:
                raise ModelError(f"the model has {name} {found}; this run's is {wanted}")
        return model


def _traits(model: Forest | Weights, settings: RunSettings) -> Iterator[tuple[str, object, object]]:
    """Name, the model's and the run's of whatever has to be the same in both."""
    averaged = settings.rounds.kind.averages_weights
    kind = f"averaged weights ({settings.rounds.fedavg_model})" if averaged else "trees"
    if isinstance(model, Weights):
        yield "the kind", f"averaged weights ({model.kind})", kind
        definition = definition_of_weights(model)
    else:
        yield "the kind", "trees", kind
        yield "the objective", model.objective, settings.boosting.objective
        definition = model.definition
    yield "the horizon in days", definition.horizon_days, settings.windows.horizon_days
    yield "the covariates", _listed(definition.covariates), _listed(settings.covariates)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "(none)"


DEMAND = DemandWorkload()
