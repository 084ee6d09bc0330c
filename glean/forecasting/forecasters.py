"""The two kinds of forecast model, of trees and of weights, and the file that says which it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from glean.features.definition import FeatureDefinition
from glean.features.matrix import FeatureMatrix
from glean.forecasting.forecast_model import ForecastModel, LocalTraining, Singles
from glean.learning.booster import predict
from glean.learning.contributions import contributions
from glean.learning.forest import Forest
from glean.learning.local_trees import train_local_trees
from glean.learning.local_weights import train_local_weights
from glean.learning.model_weights import Weights, is_npz
from glean.learning.residual import grow_residual
from glean.learning.weight_models import definition_of_weights, predict_weights, read_weights
from glean.metrics import Floats
from glean.settings import BoostingSettings


@dataclass(frozen=True, eq=False)
class TreeForecaster(ForecastModel):
    """A forest as a forecast model: it shows what it goes by, and takes more trees."""

    forest: Forest

    @property
    def definition(self) -> FeatureDefinition:
        """The feature definition inside the forest."""
        return self.forest.definition

    def relative(self, x: Singles) -> Floats:
        """Sum the trees."""
        return predict(self.forest, x)

    def to_bytes(self) -> bytes:
        """Write an XGBoost model."""
        return self.forest.to_bytes()

    def columns_used(self) -> frozenset[str]:
        """Name the columns that a tree splits on."""
        return frozenset(
            self.forest.feature_names[column]
            for tree in self.forest.trees
            for column in set(tree.split_feature[tree.left >= 0].tolist())
        )

    def contributions(self, x: Singles, background: Singles) -> Floats:
        """Give SHAP values, on the scale of the trees' sum."""
        return contributions(self.forest, x, background=background)

    def train_local(
        self, training: FeatureMatrix, validation: FeatureMatrix, how: LocalTraining
    ) -> TreeForecaster:
        """Grow trees by the same objective, as deep and as many as the validation wants."""
        boosting = self._same_objective(how.boosting)
        grown = train_local_trees(training, validation, boosting=boosting, seed=how.seed)
        return TreeForecaster(grown.forest)

    def refinement(
        self, training: FeatureMatrix, validation: FeatureMatrix, how: LocalTraining
    ) -> Callable[[float], TreeForecaster] | None:
        """Grow trees on the residual; a share of them is put behind this model's."""
        boosting = self._same_objective(how.boosting)
        own = grow_residual(self.forest, training, validation, boosting=boosting, seed=how.seed)
        if own.tree_count == 0:
            return None
        return lambda share: TreeForecaster(self.forest.plus(own.scaled(share).trees))

    def _same_objective(self, boosting: BoostingSettings) -> BoostingSettings:
        return replace(boosting, objective=self.forest.objective)


@dataclass(frozen=True, eq=False)
class WeightForecaster(ForecastModel):
    """Weights as a forecast model: what they go by can't be seen, and they aren't refined."""

    weights: Weights

    @property
    def definition(self) -> FeatureDefinition:
        """The feature definition inside the weights."""
        return definition_of_weights(self.weights)

    def relative(self, x: Singles) -> Floats:
        """Ask the network, or the linear model."""
        return predict_weights(self.weights.kind, self.weights, x)

    def to_bytes(self) -> bytes:
        """Write a NumPy `.npz`."""
        return self.weights.to_npz()

    def columns_used(self) -> None:
        """Every weight counts a little: it can't be told."""

    def contributions(self, _x: Singles, _background: Singles) -> None:
        """There are no trees to follow."""

    def train_local(
        self, training: FeatureMatrix, validation: FeatureMatrix, how: LocalTraining
    ) -> WeightForecaster:
        """Train weights of the same kind, for as many rounds as the validation wants."""
        weights = train_local_weights(
            self.weights.kind,
            training,
            validation,
            learning_rate=how.learning_rate,
            seed=how.seed,
        )
        return WeightForecaster(weights)

    def refinement(
        self, _training: FeatureMatrix, _validation: FeatureMatrix, _how: LocalTraining
    ) -> None:
        """Nothing can be put behind weights."""


@lru_cache(maxsize=2)
def read_model(content: bytes) -> ForecastModel:
    """Read a model file: XGBoost's, or the weights that `fedavg` leaves.

    The last ones are kept, since in one process all bakeries are sent the same final model.

    Raises
    ------
    ModelError
        The bytes are no model that Glean made.
    """
    if is_npz(content):
        return WeightForecaster(read_weights(content))
    return TreeForecaster(Forest.from_bytes(content))
