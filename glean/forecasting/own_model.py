"""All that one bakery forecasts from: the federation's model, its refinement, its own, the choice.

Made once at the bakery, on its rows before the test window, and kept there.
"""

from __future__ import annotations

from dataclasses import dataclass

from glean.features.matrix import FeatureMatrix
from glean.forecasting.calibration import Calibration, PastErrors
from glean.forecasting.choice import Choice, choose
from glean.forecasting.forecast import Model, forecast_units
from glean.forecasting.habits import habits
from glean.forecasting.personal import PersonalModel, personalise
from glean.forecasting.rolling import errors_of
from glean.forecasting.shrinkage import trading_days
from glean.learning.alone import train_alone
from glean.learning.alone_weights import train_weights_alone
from glean.learning.averaged import Weights
from glean.metrics import Floats
from glean.settings import BoostingSettings


@dataclass(frozen=True, eq=False)
class OwnModel:
    """What a bakery forecasts from.

    Parameters
    ----------
    shared : Forest or Weights
        The federation's model.
    personal : PersonalModel
        The same, refined on the bakery's rows.
    alone : Forest or Weights
        The bakery's own model.
    choice : Choice
        Which of them, or which mix, it bakes by.
    prior : Calibration or None
        How sure the federation's forecasts are at other bakeries, where that is known.
    """

    shared: Model
    personal: PersonalModel
    alone: Model
    choice: Choice
    prior: Calibration | None = None

    def forecasts(self, features: FeatureMatrix) -> dict[str, Floats]:
        """Forecast n rows by every method, units of shape (n,).

        Returns
        -------
        dict of str to array
            "federated", "personalised", "chosen", "local", "weekday-mean", "last-week".
        """
        made = _candidates(self.shared, self.personal, self.alone, features)
        usual = habits(features)
        return {
            "federated": made["federated"],
            "personalised": made["personalised"],
            "chosen": self.choice.mix(made),
            "local": made["local"],
            **usual,
        }

    def mixture(self) -> list[tuple[float, Model]]:
        """Models that the chosen forecast is made of, with their shares; habits aren't models."""
        models = {
            "personalised": self.personal.model,
            "federated": self.shared,
            "local": self.alone,
        }
        return [(w, models[name]) for name, w in self.choice.weights.items() if name in models]

    def past_errors(
        self, training: FeatureMatrix, validation: FeatureMatrix
    ) -> dict[str, PastErrors]:
        """Errors of every method so far, from which the next ones' quantiles are read."""
        fitted, judged = self.forecasts(training), self.forecasts(validation)
        return {
            method: errors_of(training, fitted[method], fitted=True).plus(
                errors_of(validation, judged[method], fitted=False)
            )
            for method in fitted
        }


def fit_own_model(
    model: Model,
    training: FeatureMatrix,
    validation: FeatureMatrix,
    *,
    boosting: BoostingSettings,
    learning_rate: float,
    seed: int,
    prior: Calibration | None = None,
) -> OwnModel:
    """Refine the federation's model, train the bakery's own, and choose.

    Parameters
    ----------
    model : Forest or Weights
        The federation's final model.
    training, validation : FeatureMatrix
        The bakery's rows before the validation window, and in it.
    boosting : BoostingSettings
        How trees are grown.
    learning_rate : float
        The federation's; the own model's too where it is one of weights.
    seed : int
        Seed of row and column sampling.
    prior : Calibration, optional
        How sure the federation's forecasts are at other bakeries.
    """
    personal = personalise(model, training, validation, boosting=boosting, seed=seed)
    alone: Model
    if isinstance(model, Weights):
        alone = train_weights_alone(
            model.kind, training, validation, learning_rate=learning_rate, seed=seed
        )
    else:
        alone = train_alone(training, validation, boosting=boosting, seed=seed).forest
    tried = _candidates(model, personal, alone, validation)
    choice = choose(validation, tried, history_days=trading_days(training))
    return OwnModel(model, personal, alone, choice, prior)


def _candidates(
    shared: Model, personal: PersonalModel, alone: Model, features: FeatureMatrix
) -> dict[str, Floats]:
    return {
        "personalised": personal.forecast(features),
        "federated": forecast_units(shared, features),
        "local": forecast_units(alone, features),
        "weekday-mean": habits(features)["weekday-mean"],
    }
