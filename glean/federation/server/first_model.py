"""The model before the first round."""

from __future__ import annotations

from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.global_model import TreeModel, WeightModel
from glean.learning.forest import Forest
from glean.learning.model_weights import initial_weights
from glean.seeds import derived_seed


def empty_forest(manager: ClientManager) -> TreeModel:
    """Make a model without trees, which forecasts the level."""
    objective = manager.settings.boosting.objective
    return TreeModel.of(Forest.empty(manager.definition, objective=objective))


def drawn_weights(manager: ClientManager) -> WeightModel:
    """Draw weights by the run's seed."""
    seed = derived_seed(manager.settings.seed, "initial weights")
    kind = manager.settings.rounds.fedavg_model
    return WeightModel(initial_weights(kind, manager.definition, seed=seed))
