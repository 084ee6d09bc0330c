"""The local work of Flower's XGBoost example, on a bakery's own rows, behind Flower's messages."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xgboost
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from glean.features.bakery_rows import BakeryRows, bakery_rows_of
from glean.features.definition import FeatureDefinition
from glean.learning.learning_rates import learning_rate_of
from glean.metrics import ErrorSums
from glean.node_settings import NodeSettings
from glean.settings import RunSettings

DEFINITION = FeatureDefinition(horizon_days=1, season=True)


class StockBakery:
    """One bakery as Flower's strategy knows it.

    Parameters
    ----------
    rows : BakeryRows
        Its rows: the same as in Glean.
    settings : RunSettings
        How trees are grown: the same as in Glean.
    """

    def __init__(self, rows: BakeryRows, settings: RunSettings) -> None:
        training = rows.training(DEFINITION)
        self.validation = rows.validation(DEFINITION)
        weight = training.weight / training.weight.mean()
        names = list(DEFINITION.names)
        self.train = xgboost.DMatrix(
            training.x, training.y, weight=weight, feature_names=names, nthread=1
        )
        self.validation_matrix = xgboost.DMatrix(self.validation.x, feature_names=names, nthread=1)
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
        relative = self._load(model).predict(self.validation_matrix)
        return ErrorSums.of(self.validation.units, np.maximum(relative, 0) * self.validation.level)

    def _load(self, model: bytes) -> xgboost.Booster:
        return xgboost.Booster(self.parameters, model_file=bytearray(model))


def stock_bakery(partition: int, settings: RunSettings) -> StockBakery:
    """Open the synthetic bakery of a partition."""
    rows = bakery_rows_of(NodeSettings(partition=partition), settings)
    assert rows is not None, "there is a synthetic bakery for every partition"
    return StockBakery(rows, settings)


def stock_client(bakery_of: Callable[[Context], StockBakery]) -> ClientApp:
    """Make the ClientApp that Flower's strategy talks to.

    Parameters
    ----------
    bakery_of : callable
        The bakery that a node plays; it keeps its rows, since every message asks.
    """
    app = ClientApp()

    def received(message: Message) -> bytes:
        return message.content.array_records["arrays"]["0"].numpy().tobytes()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        trees = bakery_of(context).grow(received(message))
        content: dict[str, ArrayRecord | MetricRecord | ConfigRecord] = {
            "arrays": ArrayRecord([np.frombuffer(trees, dtype=np.uint8)]),
            "metrics": MetricRecord({"num-examples": 1}),
        }
        return Message(RecordDict(content), reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        sums = bakery_of(context).score(received(message))
        metrics = MetricRecord(
            {"num-examples": 1, "abs_error": sums.abs_error, "units": sums.units}
        )
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    return app


def no_model() -> ArrayRecord:
    """Make what Flower's strategy starts from."""
    return ArrayRecord([np.frombuffer(b"", dtype=np.uint8)])
