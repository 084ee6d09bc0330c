"""All that one bakery forecasts from: shared, personalized and local model, and the selection.

Made once at the bakery, on its rows before the test window, and kept there.
"""

from __future__ import annotations

from dataclasses import dataclass

from glean.features.matrix import FeatureMatrix
from glean.forecasting.baselines import baselines
from glean.forecasting.calibration import Calibration
from glean.forecasting.forecast_model import ForecastModel, LocalTraining
from glean.forecasting.model_selection import ModelSelection, select_model
from glean.forecasting.personalization import PersonalizedModel, personalize
from glean.forecasting.residuals import Residuals
from glean.forecasting.rolling_origin import residuals
from glean.forecasting.shrinkage import trading_days
from glean.metrics import Floats
from glean.settings import BoostingSettings


@dataclass(frozen=True, eq=False)
class ClientModel:
    """What a bakery forecasts from.

    Parameters
    ----------
    shared : ForecastModel
        The federation's model.
    personalized : PersonalizedModel
        The same, refined on the bakery's rows.
    local : ForecastModel
        The model of the bakery's rows alone.
    selection : ModelSelection
        Which of them, or which mixture, it bakes by.
    prior : Calibration or None
        How sure the federation's forecasts are at other bakeries, where that is known.
    """

    shared: ForecastModel
    personalized: PersonalizedModel
    local: ForecastModel
    selection: ModelSelection
    prior: Calibration | None = None

    def forecasts(self, features: FeatureMatrix) -> dict[str, Floats]:
        """Forecast n rows by every method, units of shape (n,).

        Returns
        -------
        dict of str to array
            "federated", "personalised", "chosen", "local", "weekday-mean", "last-week".
        """
        made = _candidates(self.shared, self.personalized, self.local, features)
        usual = baselines(features)
        return {
            "federated": made["federated"],
            "personalised": made["personalised"],
            "chosen": self.selection.combine(made),
            "local": made["local"],
            **usual,
        }

    def mixture(self) -> list[tuple[float, ForecastModel]]:
        """Models that the chosen forecast is made of, with their shares; no baselines."""
        models = {
            "personalised": self.personalized.model,
            "federated": self.shared,
            "local": self.local,
        }
        return [(w, models[name]) for name, w in self.selection.weights.items() if name in models]

    def residuals(self, training: FeatureMatrix, validation: FeatureMatrix) -> dict[str, Residuals]:
        """Errors of every method so far, from which the next ones' quantiles are read."""
        fitted, validated = self.forecasts(training), self.forecasts(validation)
        return {
            method: residuals(training, fitted[method], fitted=True).plus(
                residuals(validation, validated[method], fitted=False)
            )
            for method in fitted
        }


def fit_client_model(
    model: ForecastModel,
    training: FeatureMatrix,
    validation: FeatureMatrix,
    *,
    boosting: BoostingSettings,
    learning_rate: float,
    seed: int,
    prior: Calibration | None = None,
    local: ForecastModel | None = None,
    noised: bool = False,
) -> ClientModel:
    """Refine the federation's model, train the bakery's own, and choose.

    Parameters
    ----------
    model : ForecastModel
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
    local : ForecastModel, optional
        The bakery's own model, where it has been trained before: the federation's has no part in
        it.
    noised : bool
        Whether the federation's model was made with noise.
    """
    how = LocalTraining(boosting, learning_rate, seed)
    personalized = personalize(model, training, validation, how=how)
    local = local or model.train_local(training, validation, how)
    tried = _candidates(model, personalized, local, validation)
    selection = select_model(
        validation,
        tried,
        history_days=trading_days(training),
        noised=noised,
        learned=model.columns_used() != frozenset(),
    )
    return ClientModel(model, personalized, local, selection, prior)


def _candidates(
    shared: ForecastModel,
    personalized: PersonalizedModel,
    local: ForecastModel,
    features: FeatureMatrix,
) -> dict[str, Floats]:
    return {
        "personalised": personalized.predict(features),
        "federated": shared.predict(features),
        "local": local.predict(features),
        "weekday-mean": baselines(features)["weekday-mean"],
    }
