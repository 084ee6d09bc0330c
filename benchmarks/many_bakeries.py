"""Does training stay stable with many bakeries? Validation WAPE by round, Glean and Flower's rule.

Both grow the same kind of tree on the same rows at the same learning rate. Glean scales each
bakery's leaves by its share of the weight; Flower's FedXgbBagging adds all trees as they are, so
that its step is the number of bakeries times the rate. Run `python -m benchmarks.many_bakeries`
(options: the number of bakeries, and of rounds).
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

import numpy as np
import xgboost
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import FedXgbBagging

from benchmarks.federations import validation_curve
from glean.features.definition import FeatureDefinition
from glean.federation.inprocess import InProcessGrid, as_server
from glean.federation.participant import Participant, participant_of
from glean.learning.rates import learning_rate_of
from glean.metrics import ErrorSums
from glean.settings import NodeSettings, RunSettings

BAKERIES = 50
ROUNDS = 20
DEFINITION = FeatureDefinition(horizon_days=1, season=True)


class StockBakery:
    """The local work of Flower's XGBoost example, on one bakery's rows."""

    def __init__(self, participant: Participant, settings: RunSettings) -> None:
        training = participant.training(DEFINITION)
        self.validation = participant.validation(DEFINITION)
        weight = training.weight / training.weight.mean()
        names = list(DEFINITION.names)
        self.train = xgboost.DMatrix(
            training.x, training.y, weight=weight, feature_names=names, nthread=1
        )
        self.judge = xgboost.DMatrix(self.validation.x, feature_names=names, nthread=1)
        boosting = settings.boosting
        self.parameters = {
            "objective": boosting.objective, "base_score": 1.0, "tree_method": "hist",
            "max_bin": boosting.bins, "max_depth": boosting.max_depth, "nthread": 1,
            "min_child_weight": boosting.min_child_weight, "reg_lambda": boosting.reg_lambda,
            "subsample": boosting.subsample, "colsample_bytree": boosting.colsample,
            "learning_rate": learning_rate_of(settings.rounds), "seed": settings.seed,
        }  # fmt: skip

    def grow(self, model: bytes) -> bytes:
        """Continue the global model by one tree and send that tree."""
        if not model:
            return bytes(xgboost.train(self.parameters, self.train, 1).save_raw("json"))
        booster = self._load(model)
        booster.update(self.train, booster.num_boosted_rounds())
        count = booster.num_boosted_rounds()
        return bytes(booster[count - 1 : count].save_raw("json"))

    def score(self, model: bytes) -> ErrorSums:
        """Sum the errors on the validation window."""
        relative = self._load(model).predict(self.judge)
        return ErrorSums.of(self.validation.units, np.maximum(relative, 0) * self.validation.level)

    def _load(self, model: bytes) -> xgboost.Booster:
        return xgboost.Booster(self.parameters, model_file=bytearray(model))


def stock_app(bakeries: list[StockBakery]) -> ClientApp:
    """Make the ClientApp that Flower's strategy talks to."""
    app = ClientApp()

    def received(message: Message) -> bytes:
        return message.content.array_records["arrays"]["0"].numpy().tobytes()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        trees = bakeries[int(context.node_config["partition-id"])].grow(received(message))
        content: dict[str, ArrayRecord | MetricRecord | ConfigRecord] = {
            "arrays": ArrayRecord([np.frombuffer(trees, dtype=np.uint8)]),
            "metrics": MetricRecord({"num-examples": 1}),
        }
        return Message(RecordDict(content), reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        sums = bakeries[int(context.node_config["partition-id"])].score(received(message))
        metrics = MetricRecord(
            {"num-examples": 1, "abs_error": sums.abs_error, "units": sums.units}
        )
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    return app


def stock_curve(settings: RunSettings, count: int) -> list[float]:
    """Return the validation WAPE by round of Flower's FedXgbBagging."""
    participants = (participant_of(NodeSettings(partition=k), settings) for k in range(count))
    bakeries = [StockBakery(p, settings) for p in participants if p is not None]
    nodes = [{"partition-id": k} for k in range(count)]
    grid = InProcessGrid(stock_app(bakeries), nodes, {}, run_id=1)
    empty = ArrayRecord([np.frombuffer(b"", dtype=np.uint8)])
    with as_server(grid):
        strategy = FedXgbBagging(min_train_nodes=count, min_evaluate_nodes=count)
        result = strategy.start(grid, empty, num_rounds=settings.rounds.num_server_rounds)
    curve = []
    for _, metrics in sorted(result.evaluate_metrics_clientapp.items()):
        error, units = metrics["abs_error"], metrics["units"]
        assert isinstance(error, float), error
        assert isinstance(units, float), units
        curve.append(error / units)
    return curve


def main() -> int:
    """Print both curves; 1 when Glean's ever rose above its first round."""
    words = [int(word) for word in sys.argv[1:]]
    count, rounds = (words + [BAKERIES, ROUNDS][len(words) :])[:2]
    logging.getLogger("flwr").setLevel(logging.ERROR)
    settings = RunSettings.from_config({"num-server-rounds": rounds})
    with tempfile.TemporaryDirectory() as scratch:
        glean = validation_curve(settings, count, Path(scratch))
    stock = stock_curve(settings, count)
    rate = learning_rate_of(settings.rounds)
    print(f"{count} synthetic bakeries, learning rate {rate}, validation WAPE")
    print(f"{'round':>5} {'Glean':>8} {'Flower FedXgbBagging':>22}")
    for number, (ours, theirs) in enumerate(zip(glean, stock, strict=True), start=1):
        print(f"{number:5d} {ours:8.4f} {theirs:22.4f}")
    for name, curve in (("Glean", glean), ("Flower", stock)):
        print(f"{name}: round 1 {curve[0]:.4f}, highest later {max(curve[1:]):.4f}")
    rose = max(glean[1:]) > glean[0]
    if rose:
        print("Glean's validation WAPE rose above round 1's; wanted: never")
    return int(rose)


if __name__ == "__main__":
    sys.exit(main())
