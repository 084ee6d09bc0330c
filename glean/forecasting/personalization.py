"""The federation's model, refined at one bakery: own trees on top, and a level by product.

How much of each is taken, from nothing to all, is chosen on the bakery's validation window. What
comes out stays at the bakery.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glean.features.matrix import FeatureMatrix
from glean.forecasting.bias_correction import BiasCorrection, bias_correction
from glean.forecasting.forecast_model import ForecastModel, LocalTraining
from glean.forecasting.shrinkage import local_weight, shrunk, trading_days
from glean.metrics import Floats

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
    model : ForecastModel
        The federation's model with the bakery's own trees, already scaled by `trees_share`; as it
        was where it can't be refined.
    correction : BiasCorrection
        Factors by product.
    trees_share, level_share : float
        How much of the trees and of the factors is taken, 0 to 1.
    """

    model: ForecastModel
    correction: BiasCorrection
    trees_share: float
    level_share: float

    def predict(self, features: FeatureMatrix) -> Floats:
        """Forecast every row, units of shape (n,); never below zero."""
        plain = self.model.predict(features)
        return self.correction.apply(plain, features, share=self.level_share)


def personalize(
    model: ForecastModel,
    training: FeatureMatrix,
    validation: FeatureMatrix,
    *,
    how: LocalTraining,
) -> PersonalizedModel:
    """Refine the federation's model on one bakery's rows.

    Parameters
    ----------
    model : ForecastModel
        The federation's; one that can't be refined stays as it is.
    training, validation : FeatureMatrix
        The bakery's rows before the validation window, and in it.
    how : LocalTraining
        How own trees are grown.
    """
    refined, trees_share = model, 0.0
    with_share = model.refinement(training, validation, how)
    if with_share is not None:
        tried = _by_share(model.predict(validation), with_share(1.0).predict(validation))
        trees_share = _share(tried, validation, usual=local_weight(trading_days(training)))
        refined = with_share(trees_share)
    if len(training) == 0:
        return PersonalizedModel(refined, BiasCorrection(), trees_share, 0.0)
    correction = bias_correction(training, refined.predict(training))
    plain = refined.predict(validation)
    tried = [correction.apply(plain, validation, share=share) for share in SHARES]
    level_share = _share(tried, validation, usual=USUAL_LEVEL)
    return PersonalizedModel(refined, correction, trees_share, level_share)


def _by_share(none: Floats, everything: Floats) -> list[Floats]:
    """Go from the plain forecast to the wholly refined one, by `SHARES`."""
    return [none + share * (everything - none) for share in SHARES]


def _share(tried: list[Floats], validation: FeatureMatrix, *, usual: float) -> float:
    """Find the share with the least absolute error, drawn towards the usual one by few days."""
    if len(validation) == 0:
        return usual
    losses = [float(np.abs(forecast - validation.units).sum()) for forecast in tried]
    return shrunk(SHARES[int(np.argmin(losses))], usual, days=trading_days(validation))
