"""The server's step from one global model to the next, for each kind of aggregation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from glean.aggregation import bagging, cyclic, fedavg
from glean.aggregation.update import Update, check_reply
from glean.errors import ModelError
from glean.features.definition import FeatureDefinition
from glean.federation.global_model import GlobalModel, TreeModel, WeightModel
from glean.federation.messages import Contribution
from glean.federation.sampling import derived_seed, draw_share
from glean.learning.averaged import Weights, initial_weights
from glean.learning.forest import Forest
from glean.settings import RunSettings

LARGEST_WEIGHT = 1e15
"""More than any bakery sells in units or money; a share of it can still be computed."""

_DEVICE = re.compile(r"cpu|cuda(:[0-9]+)?")

AnyUpdate = Update[Forest] | Update[Weights]


@dataclass(frozen=True)
class Aggregator:
    """What one aggregation does at the server.

    Parameters
    ----------
    settings : RunSettings
        The run's settings.
    definition : FeatureDefinition
        The federation's features.
    """

    settings: RunSettings
    definition: FeatureDefinition

    def first_model(self) -> GlobalModel:
        """Make the model before the first round: it forecasts the level, or is drawn by seed."""
        rounds = self.settings.rounds
        if rounds.aggregation == "fedavg":
            seed = derived_seed(self.settings.seed, "initial weights")
            weights = initial_weights(rounds.fedavg_model, self.definition, seed=seed)
            return WeightModel(weights)
        objective = self.settings.boosting.objective
        return TreeModel.of(Forest.empty(self.definition, objective=objective))

    def trainers(self, bakeries: Sequence[str], round_number: int) -> tuple[str, ...]:
        """Say which of the bakeries train in a round."""
        if self.settings.rounds.aggregation == "cyclic":
            return (cyclic.whose_turn(bakeries, round_number),)
        seed = derived_seed(self.settings.seed, "train fraction", round_number)
        return draw_share(bakeries, self.settings.rounds.fraction_train, seed=seed)

    def accept(self, model: GlobalModel, contribution: Contribution) -> AnyUpdate:
        """Check what a bakery sent.

        Raises
        ------
        ModelError
            It can't be trusted or doesn't fit the federation.
        """
        if contribution.definition != self.definition.identity:
            raise ModelError(
                f"found features {contribution.definition[:12]}; wanted "
                f"{self.definition.identity[:12]}: the bakery uses another feature definition"
            )
        if not _DEVICE.fullmatch(contribution.device):
            raise ModelError(f"found device {contribution.device!r:.80}; wanted cpu or like cuda:0")
        if self.settings.tree_device == "gpu" and contribution.device == "cpu":
            raise ModelError("found trees grown on the CPU; wanted a GPU, as device says")
        if not 0 < contribution.weight <= LARGEST_WEIGHT:
            raise ModelError(
                f"found weight {contribution.weight}; wanted one above 0, up to {LARGEST_WEIGHT:g}"
            )
        name, weight = contribution.bakery, contribution.weight
        if isinstance(model, WeightModel):
            weights = Weights.from_npz(contribution.model)
            return Update(name, weight, fedavg.checked(weights, like=model.weights))
        boosting = self.settings.boosting
        trees = check_reply(
            contribution.model,
            definition_identity=self.definition.identity,
            objective=boosting.objective,
            trees=boosting.trees_per_round * boosting.num_parallel_tree,
        )
        return Update(name, weight, trees)

    def merge(self, model: GlobalModel, updates: Sequence[AnyUpdate]) -> GlobalModel:
        """Make the next global model of this one and the round's updates."""
        if isinstance(model, WeightModel):
            weights = [u for u in updates if isinstance(u.content, Weights)]
            return WeightModel(fedavg.merge(weights))
        trees = [u for u in updates if isinstance(u.content, Forest)]
        rule = cyclic if self.settings.rounds.aggregation == "cyclic" else bagging
        forest, _ = rule.merge(model.forest, trees)
        return model.grown(forest)
