"""The server's step from one global model to the next, for each kind of aggregation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from glean.aggregation import bagging, cyclic, refit
from glean.aggregation.update import TreeUpdate, Update, read_tree_update
from glean.errors import ModelError
from glean.features.bin_layout import BinLayout
from glean.features.definition import FeatureDefinition
from glean.federation.coordination.global_model import GlobalModel, TreeModel, WeightModel
from glean.federation.wire.messages import TrainReply
from glean.federation.wire.sum_messages import SumReply
from glean.learning.forest import Forest
from glean.learning.model_weights import initial_weights
from glean.learning.structure import check_public_edges
from glean.seeds import derived_seed, draw_share
from glean.settings import RunSettings

LARGEST_WEIGHT = 1e15
"""More than any bakery sells in units or money; a share of it can still be computed."""

_DEVICE = re.compile(r"cpu|cuda(:[0-9]+)?")


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

    @cached_property
    def layout(self) -> BinLayout:
        """Where trees may split."""
        return BinLayout(self.definition, self.settings.boosting.bins)

    def accept(self, contribution: TrainReply) -> TreeUpdate:
        """Check the trees that a bakery sent.

        Raises
        ------
        ModelError
            They can't be trusted or don't fit the federation.
        """
        self._check_origin(contribution)
        if not 0 < contribution.weight <= LARGEST_WEIGHT:
            raise ModelError(
                f"found weight {contribution.weight}; wanted one above 0, up to {LARGEST_WEIGHT:g}"
            )
        trees = self._trees(contribution.model)
        check_public_edges(trees, self.layout)
        return Update(contribution.bakery, contribution.weight, trees)

    def accept_structure(self, reply: SumReply) -> Forest:
        """Check the structures that a bakery proposed.

        Raises
        ------
        ModelError
            They can't be trusted or don't fit the federation, or are more than structures.
        """
        self._check_origin(reply)
        return refit.checked_structure(self._trees(reply.proposal), self.layout)

    def merge(self, model: GlobalModel, updates: Sequence[TreeUpdate]) -> GlobalModel:
        """Make the next global model of this one and the round's trees."""
        assert isinstance(model, TreeModel), "trees are merged into trees"
        rule = cyclic if self.settings.rounds.aggregation == "cyclic" else bagging
        forest, _ = rule.merge(model.forest, updates)
        return model.grown(forest)

    def _check_origin(self, reply: TrainReply | SumReply) -> None:
        if reply.definition != self.definition.identity:
            raise ModelError(
                f"found features {reply.definition[:12]}; wanted "
                f"{self.definition.identity[:12]}: the bakery uses another feature definition"
            )
        if not _DEVICE.fullmatch(reply.device):
            raise ModelError(f"found device {reply.device!r:.80}; wanted cpu or like cuda:0")
        if self.settings.tree_device == "gpu" and reply.device == "cpu":
            raise ModelError("found trees grown on the CPU; wanted a GPU, as device says")

    def _trees(self, content: bytes) -> Forest:
        boosting = self.settings.boosting
        return read_tree_update(
            content,
            definition_identity=self.definition.identity,
            objective=boosting.objective,
            trees=boosting.trees_per_round * boosting.num_parallel_tree,
        )
