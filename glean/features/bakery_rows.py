"""One bakery of a run: its sales, its windows, and the rows of each that models see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import cached_property, lru_cache, partial

from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix, build_features
from glean.memory_limit import Kept
from glean.node_settings import NodeSettings
from glean.sales.partitions import BakerySales, bakery_of_node
from glean.sales.stock_outs import with_demand
from glean.sales.table import SalesTable
from glean.sales.windows import MIN_TRADING_DAYS, Windows, windows_of
from glean.settings import RunSettings

CACHED_BAKERIES = 10_000
"""Bakeries that one process remembers; in a simulation it plays many of them, each in every
exchange. How much of their rows it keeps, the limit of its memory says."""


class BakeryRows:
    """A bakery's rows by window.

    Parameters
    ----------
    node : NodeSettings
        The node that plays it.
    sales : BakerySales
        Its sales, already cut if it plays a newcomer.
    again : callable, optional
        Makes the same sales again, so that they need not be kept.
    windows : Windows
        Its windows.
    settings : RunSettings
        The run's settings.
    """

    def __init__(
        self,
        node: NodeSettings,
        sales: BakerySales,
        windows: Windows,
        settings: RunSettings,
        *,
        again: Callable[[], BakerySales] | None = None,
    ) -> None:
        self.node = node
        self.windows = windows
        self.settings = settings
        self.name = sales.name
        self._again = again
        self._own_sales = None if again else sales
        self._sales = Kept[BakerySales]()
        self._features: defaultdict[str, Kept[FeatureMatrix]] = defaultdict(Kept)
        self._training: defaultdict[str, Kept[FeatureMatrix]] = defaultdict(Kept)
        self._validation: defaultdict[str, Kept[FeatureMatrix]] = defaultdict(Kept)
        if again:
            self._sales.get(lambda: sales)

    @property
    def sales(self) -> BakerySales:
        """Its sales."""
        if self._again is None:
            assert self._own_sales is not None, "what can't be made again is kept"
            return self._own_sales
        return self._sales.get(self._again)

    def features(self, definition: FeatureDefinition) -> FeatureMatrix:
        """All rows of the bakery."""
        return self._features[definition.identity].get(
            lambda: build_features(self._demand_table(), definition, region=self.sales.region)
        )

    def _demand_table(self) -> SalesTable:
        """Sales, or an estimate of what was asked for where a product sold out."""
        as_sold = self.settings.table.stock_outs == "as-sold"
        return self.sales.table if as_sold else with_demand(self.sales.table)

    def training(self, definition: FeatureDefinition) -> FeatureMatrix:
        """Rows to learn from."""
        end = self.windows.validation_start
        return self._training[definition.identity].get(
            lambda: self.features(definition).learned_between(end=end)
        )

    def validation(self, definition: FeatureDefinition) -> FeatureMatrix:
        """Rows to choose by."""
        window = self.windows.validation_start, self.windows.test_start
        return self._validation[definition.identity].get(
            lambda: self.features(definition).learned_between(*window)
        )

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
    if newcomer:
        sales = _as_newcomer(sales, settings)
    # A file may have other rows the next time: what was read from one is kept.
    made = not (node.sales or settings.table.sales)
    again = partial(_sales_again, node, settings, newcomer=newcomer) if made else None
    windows = windows_of(sales.table, settings.windows)
    return BakeryRows(node, sales, windows, settings, again=again)


def _sales_again(node: NodeSettings, settings: RunSettings, *, newcomer: bool) -> BakerySales:
    sales = bakery_of_node(node, settings.table)
    assert sales is not None, "it was made before"
    return _as_newcomer(sales, settings) if newcomer else sales


def _as_newcomer(sales: BakerySales, settings: RunSettings) -> BakerySales:
    start = windows_of(sales.table, settings.windows).test_start
    return sales.since(start, days=settings.rounds.newcomer_days)
