"""The federation's model, refined at one bakery: own trees on top, and a level by product.

How much of each is taken, from nothing to all, is chosen on the bakery's validation window. What
comes out stays at the bakery.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glean.features.matrix import FeatureMatrix
from glean.forecasting.bias_correction import BiasCorrection, bias_correction
from glean.forecasting.predict import Model, forecast_units
from glean.forecasting.shrinkage import local_weight, shrunk, trading_days
from glean.learning.forest import Forest
from glean.learning.residual import grow_residual
from glean.metrics import Floats
from glean.settings import BoostingSettings

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""How much of the refinement is tried."""

USUAL_LEVEL = 0.0
"""Share of the level correction that a short validation window can't move far from: features are
relative to the level already, and before the test windows of the reference jobs it gained nothing.
"""


@dataclass(frozen=True, eq=False)
class PersonalizedModel:
    """A refined model.

    Parameters
    ----------
    model : Forest or Weights
        The federation's model with the bakery's own trees, already scaled by `trees_share`; as it
        was where it is one of weights.
    correction : BiasCorrection
        Factors by product.
    trees_share, level_share : float
        How much of the trees and of the factors is taken, 0 to 1.
    """

    model: Model
    correction: BiasCorrection
    trees_share: float
    level_share: float

    def predict(self, features: FeatureMatrix) -> Floats:
        """Forecast every row, units of shape (n,); never below zero."""
        plain = forecast_units(self.model, features)
        return self.correction.apply(plain, features, share=self.level_share)


def personalize(
    model: Model,
    training: FeatureMatrix,
    validation: FeatureMatrix,
    *,
    boosting: BoostingSettings,
    seed: int,
) -> PersonalizedModel:
    """Refine the federation's model on one bakery's rows.

    Parameters
    ----------
    model : Forest or Weights
        The federation's; one of weights gets no trees.
    training, validation : FeatureMatrix
        The bakery's rows before the validation window, and in it.
    boosting : BoostingSettings
        How own trees are grown.
    seed : int
        Seed of row and column sampling.
    """
    refined, trees_share = model, 0.0
    if isinstance(model, Forest):
        own = grow_residual(model, training, validation, boosting=boosting, seed=seed)
        usual = local_weight(trading_days(training))
        refined, trees_share = _with_trees(model, own, validation, usual=usual)
    if len(training) == 0:
        return PersonalizedModel(refined, BiasCorrection(), trees_share, 0.0)
    correction = bias_correction(training, forecast_units(refined, training))
    plain = forecast_units(refined, validation)
    tried = [correction.apply(plain, validation, share=share) for share in SHARES]
    level_share = _share(tried, validation, usual=USUAL_LEVEL)
    return PersonalizedModel(refined, correction, trees_share, level_share)


def _with_trees(
    model: Forest, trees: Forest, validation: FeatureMatrix, *, usual: float
) -> tuple[Forest, float]:
    if trees.tree_count == 0:
        return model, 0.0
    none = forecast_units(model, validation)
    everything = forecast_units(model.plus(trees.trees), validation)
    tried = [none + share * (everything - none) for share in SHARES]
    share = _share(tried, validation, usual=usual)
    return model.plus(trees.scaled(share).trees), share


def _share(tried: list[Floats], validation: FeatureMatrix, *, usual: float) -> float:
    """Find the share with the least absolute error, drawn towards the usual one by few days."""
    if len(validation) == 0:
        return usual
    losses = [float(np.abs(forecast - validation.units).sum()) for forecast in tried]
    return shrunk(SHARES[int(np.argmin(losses))], usual, days=trading_days(validation))
