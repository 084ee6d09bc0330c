"""Flower's stock FedXgbBagging as an app of its own, which writes down each round that it ends.

In this process: `python -m benchmarks.stock_app BAKERIES ROUNDS REPORT`. On Ray: Flower finds
`server_app` and `client_app` here, in the copy that `benchmarks.stock_run` makes.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from flwr.app import ArrayRecord, Context, Message, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedXgbBagging

from benchmarks.metered_grid import MeteredGrid
from benchmarks.stock_bakery import StockBakery, no_model, stock_bakery, stock_client
from benchmarks.variants import SCALED, VARIANTS
from glean.federation.grids.inprocess import as_server
from glean.settings import RunSettings

ROUNDS = 20
"""What the learning rate is for; a shorter run stops earlier, at the same rate."""


@dataclass(frozen=True)
class StockRound:
    """What the stock run had cost at the end of a round; what a line of the report holds.

    Parameters
    ----------
    round : int
        The round; 0: nothing but the start.
    clock_s : float
        Time of day, seconds since 1970.
    aggregation_s : float
        In `aggregate_train` so far.
    bytes_down, bytes_up : int
        Payload so far; 0 on Ray, where they aren't counted.
    wape : float
        Of the round's model on validation windows.
    """

    round: int
    clock_s: float
    aggregation_s: float = 0.0
    bytes_down: int = 0
    bytes_up: int = 0
    wape: float = float("nan")


class ReportingBagging(FedXgbBagging):
    """The stock strategy, with a watch.

    Parameters
    ----------
    bakeries : int
        All of them train and score in each round.
    report : Path
        Where a line is added after each round.
    grid : Grid
        The grid; bytes are counted where it is a `MeteredGrid`.
    """

    def __init__(self, bakeries: int, report: Path, grid: Grid) -> None:
        super().__init__(
            min_train_nodes=bakeries, min_evaluate_nodes=bakeries, min_available_nodes=bakeries
        )
        self._report = report
        self._grid = grid
        self._aggregation_s = 0.0
        self._write(0)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Merge as the stock strategy does."""
        received = list(replies)
        start = time.perf_counter()
        merged = super().aggregate_train(server_round, received)
        self._aggregation_s += time.perf_counter() - start
        return merged

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """End the round."""
        metrics = super().aggregate_evaluate(server_round, replies)
        self._write(server_round, _wape(metrics))
        return metrics

    def _write(self, number: int, wape: float = float("nan")) -> None:
        down = up = 0
        if isinstance(self._grid, MeteredGrid):
            spent = self._grid.so_far()
            down, up = spent.bytes_down, spent.bytes_up
        row = StockRound(number, time.time(), self._aggregation_s, down, up, wape)
        with self._report.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(row)) + "\n")


def _wape(metrics: MetricRecord | None) -> float:
    """All weigh the same, so that the quotient of means is that of sums."""
    found = dict(metrics or {})
    error, units = found.get("abs_error"), found.get("units")
    assert isinstance(error, float), found
    assert isinstance(units, float), found
    return error / units


def _settings() -> RunSettings:
    return RunSettings.from_config(VARIANTS[SCALED] | {"num-server-rounds": ROUNDS})


@cache
def _bakery(partition: int) -> StockBakery:
    return stock_bakery(partition, _settings())


client_app = stock_client(lambda context: _bakery(int(context.node_config["partition-id"])))
server_app = ServerApp()


@server_app.main()
def main_on_ray(grid: Grid, context: Context) -> None:
    """Run the strategy as the run config says."""
    config = context.run_config
    strategy = ReportingBagging(int(config["bakeries"]), Path(str(config["report"])), grid)
    strategy.start(grid, no_model(), num_rounds=int(config["rounds"]))


def main() -> int:
    """Run the strategy in this process."""
    logging.getLogger("flwr").setLevel(logging.ERROR)
    bakeries, rounds, report = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    grid = MeteredGrid(client_app, [{"partition-id": k} for k in range(bakeries)], {})
    with as_server(grid):
        strategy = ReportingBagging(bakeries, report, grid)
        strategy.start(grid, no_model(), num_rounds=rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
