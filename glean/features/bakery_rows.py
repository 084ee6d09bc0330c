"""One bakery of a run: its sales, its windows, and the rows of each that models see."""

from __future__ import annotations

from functools import cached_property, lru_cache

from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix, build_features
from glean.node_settings import NodeSettings
from glean.sales.partitions import BakerySales, bakery_of_node
from glean.sales.stock_outs import with_demand
from glean.sales.table import SalesTable
from glean.sales.windows import MIN_TRADING_DAYS, Windows, windows_of
from glean.settings import RunSettings

CACHED_BAKERIES = 10_000
"""Bakeries whose rows one process keeps; in a simulation it plays many of them, each in every
exchange, and making one anew takes longer than all else in it."""


class BakeryRows:
    """A bakery's rows by window.

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
            training = features.between(end=self.windows.validation_start)
            self._training[key] = training.without_outliers()
        return self._training[key]

    def validation(self, definition: FeatureDefinition) -> FeatureMatrix:
        """Rows to choose by, made once."""
        key = definition.identity
        if key not in self._validation:
            start, end = self.windows.validation_start, self.windows.test_start
            validation = self.features(definition).between(start, end)
            self._validation[key] = validation.without_outliers()
        return self._validation[key]

    def test(self, definition: FeatureDefinition) -> FeatureMatrix:
        """Rows to be judged by, once, at the end."""
        return self.features(definition).between(start=self.windows.test_start)

    @property
    def trains(self) -> bool:
        """Whether there is something to learn from."""
        return not self.why_untrained

    @cached_property
    def why_untrained(self) -> str:
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


@lru_cache(maxsize=CACHED_BAKERIES)
def bakery_rows_of(
    node: NodeSettings, settings: RunSettings, *, newcomer: bool = False
) -> BakeryRows | None:
    """Open the bakery that a node plays, once a process; None for a spare node of a simulation."""
    return open_bakery_rows(node, settings, newcomer=newcomer)


def open_bakery_rows(
    node: NodeSettings, settings: RunSettings, *, newcomer: bool = False
) -> BakeryRows | None:
    """Open the bakery that a node plays, as its table is now.

    Raises
    ------
    SettingsError, SalesError
        The table can't be read, or the node isn't told which bakery of it is its own.
    """
    sales = bakery_of_node(node, settings.table)
    if sales is None:
        return None
    windows = windows_of(sales.table, settings.windows)
    if newcomer:
        sales = sales.since(windows.test_start, days=settings.rounds.newcomer_days)
        windows = windows_of(sales.table, settings.windows)
    return BakeryRows(node, sales, windows, settings)
