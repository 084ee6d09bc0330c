"""Flower's own strategies run on the grid in this process, unchanged."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import FedAvg, FedXgbBagging

from glean.federation.grids.inprocess import as_server
from tests.federation.grids.grid_calls import grid_of


@pytest.fixture
def quiet_flower() -> Iterator[None]:
    """Flower's strategies log every round."""
    logger = logging.getLogger("flwr")
    level = logger.level
    logger.setLevel(logging.ERROR)
    yield
    logger.setLevel(level)


@pytest.mark.usefixtures("quiet_flower")
def test_flower_s_own_fedavg_runs_unchanged() -> None:
    """Nodes step halfway to their own number each round; the stock strategy averages them."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        before = message.content.array_records["arrays"]["w"].numpy()
        goal = float(str(context.node_config["partition-id"]))
        arrays = ArrayRecord({"w": Array(before + (goal - before) / 2)})
        metrics = MetricRecord({"num-examples": 1})
        return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, _context: Context) -> Message:
        value = message.content.array_records["arrays"]["w"].numpy()[0]
        metrics = MetricRecord({"num-examples": 1, "value": float(value)})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    grid = grid_of(app)
    start = ArrayRecord({"w": Array(np.array([9.0]))})
    begun = time.monotonic()
    with as_server(grid):
        result = FedAvg(min_available_nodes=3).start(grid, start, num_rounds=2)
    assert time.monotonic() - begun < 5.0, "the stock strategy shouldn't wait for anything"
    assert result.arrays["w"].numpy()[0] == pytest.approx(1 + (9 - 1) / 4)
    assert result.evaluate_metrics_clientapp[2]["value"] == pytest.approx(3.0)


@pytest.mark.usefixtures("quiet_flower")
def test_flower_s_own_xgboost_bagging_runs_unchanged() -> None:
    """Each node grows a tree a round on its own rows; the stock strategy keeps them all."""
    xgboost = pytest.importorskip("xgboost")
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        before = message.content.array_records["arrays"]["0"].numpy().tobytes()
        rng = np.random.default_rng(int(str(context.node_config["partition-id"])))
        x = rng.random((50, 2))
        rows = xgboost.DMatrix(x, label=x.sum(axis=1), nthread=1)
        held = xgboost.Booster(model_file=bytearray(before)) if before else None
        parameters = {"base_score": 0.5, "nthread": 1, "max_depth": 2}
        grown = xgboost.train(parameters, rows, num_boost_round=1, xgb_model=held)
        tree = grown[grown.num_boosted_rounds() - 1 :].save_raw("json")
        arrays = ArrayRecord([np.frombuffer(tree, dtype=np.uint8)])
        metrics = MetricRecord({"num-examples": 50})
        return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)

    grid = grid_of(app)
    start = ArrayRecord([np.frombuffer(b"", dtype=np.uint8)])
    strategy = FedXgbBagging(min_available_nodes=3, fraction_evaluate=0.0)
    with as_server(grid):
        result = strategy.start(grid, start, num_rounds=2)
    model = xgboost.Booster()
    model.load_model(bytearray(result.arrays["0"].numpy().tobytes()))
    assert len(model.get_dump()) == 6
