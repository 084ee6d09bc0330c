"""The model before the first round, and where its trees may split."""

from __future__ import annotations

from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.global_model import (
    GlobalModel,
    TreeModel,
    WeightModel,
    global_model_of,
)
from glean.federation.workload.registry import workload_of
from glean.learning.bin_layout import BinLayout


def first_trees(manager: ClientManager) -> TreeModel:
    """Make the workload's model without trees."""
    model = _first_model(manager)
    assert isinstance(model, TreeModel), "the workload's model is made of trees"
    return model


def first_weights(manager: ClientManager) -> WeightModel:
    """Make the workload's weights before any training."""
    model = _first_model(manager)
    assert isinstance(model, WeightModel), "the workload's model is made of weights"
    return model


def tree_layout(manager: ClientManager) -> BinLayout:
    """Give the public edges at which trees may split."""
    return BinLayout(first_trees(manager).forest.definition, manager.settings.boosting.bins)


def _first_model(manager: ClientManager) -> GlobalModel:
    return global_model_of(
        workload_of(manager.settings).first_model(manager.spec, manager.settings)
    )
