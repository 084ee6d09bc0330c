"""Which forecast a bakery bakes by: chosen on its own validation window, with what speaks for it.

In come forecasts of the same validation rows by several methods; out comes a mixture of them. Four
weeks say little about differences of a few per cent, so what they say is held back by what usually
holds: the refined model with a fifth of the own one was better than either, and the shorter the
history, the less can the own model be trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from glean.features.matrix import FeatureMatrix
from glean.forecasting.selection_reason import ValidationErrors, reason_in
from glean.forecasting.shrinkage import local_weight, shrunk, trading_days
from glean.languages.language import Language
from glean.metrics import Floats, wape

LOCAL_SHARES = tuple(k / 10 for k in range(11))
"""Shares of the bakery's own model that are tried."""

USUAL_LOCAL_SHARE = 0.2
"""Share of the local model in the mixture on long histories, less on shorter ones. Chosen on the
windows of `python -m benchmarks.features`, before the reference jobs' test windows: of 0 to 0.7 it
was within 0.2% of the best for three, five and 35 bakeries alike, so the number of them has no say.
"""

NOISED_LOCAL_SHARE = 0.3
"""The same where the federation's model was made with noise. Of 0.2 to 0.5, on windows before the
test windows of synthetic-5, synthetic-40 and restaurants-100, it was within 0.1% of the best of
each."""

UNLEARNED_LOCAL_SHARE = 1.0
"""The same where nothing was learned together, as after rounds that bad members ruined: the refined
model is but a second one of the bakery's own rows then, of a shape that its validation days didn't
choose. So nobody is much worse off than alone: on windows before the test windows of synthetic-5,
chain, and bakeries of synthetic-40 and restaurants-100, what they bake by is 0.0% to 0.3% better
than their own models so, and by a share of 0.2 between 0.7% better and 0.3% worse."""

CHALLENGERS = ("personalised", "federated", "local", "weekday-mean")
LEAST_T = 2.0
"""Standard errors by which a challenger has to beat the mixture to take its place."""

RUINED = 2.0
"""Times the habit's error from which a model made with noise is of no use, refined or not. Rounds
with noise are compared with nothing, so that bad members can make one of ten times it; honest ones
had at most 1.4 times it on the validation windows of any bakery of unrelated-40, synthetic-40 and
restaurants-100."""

FEWEST_DAYS = 14
"""With fewer validation days nothing takes the mixture's place."""


@dataclass(frozen=True)
class ModelSelection:
    """What a bakery's forecast is made of.

    Parameters
    ----------
    weights : mapping of str to float
        Method -> its share, above 0; they sum to 1.
    errors : ValidationErrors or None
        What it was chosen by; None where only `told` is known.
    told : str
        Why, as a home says that was written without these errors.
    """

    weights: Mapping[str, float]
    errors: ValidationErrors | None = None
    told: str = ""

    def reason(self, language: Language) -> str:
        """Say why, in a sentence or two for the owner; what was only told, as it was told."""
        if self.errors is None:
            return self.told
        return reason_in(language, self.weights, self.errors)

    def combine(self, forecasts: Mapping[str, Floats]) -> Floats:
        """Mix forecasts (method -> units of shape (n,)) by the weights."""
        parts = [weight * forecasts[method] for method, weight in self.weights.items()]
        return np.asarray(np.sum(parts, axis=0))


def select_model(
    validation: FeatureMatrix,
    forecasts: Mapping[str, Floats],
    *,
    history_days: int,
    noised: bool = False,
    learned: bool = True,
) -> ModelSelection:
    """Choose a bakery's forecast.

    Parameters
    ----------
    validation : FeatureMatrix
        n rows that none of the methods was fitted to.
    forecasts : mapping of str to array of shape (n,)
        Units by "personalised", "federated", "local" and "weekday-mean".
    history_days : int
        Trading days before the validation window.
    noised : bool
        Whether the federation's model was made with noise, which may have ruined it: it has no
        share then where it is worse than the weekday-mean for sure, once refined, or far worse
        before.
    learned : bool
        Whether anything was learned together: a federation whose rounds are all lost ends with the
        model that it began with, which tells no row from another.
    """
    days = trading_days(validation)
    usual = _usual_share(noised=noised, learned=learned) * local_weight(history_days)
    share = usual
    if days:
        share = shrunk(_best_share(validation, forecasts), usual, days=days)
    if noised and _ruined(validation, forecasts, days):
        share = 1.0
    mixture = _mixture(share)
    errors = {method: wape(validation.units, f) for method, f in forecasts.items()}
    winner = _challenger(validation, forecasts, mixture) if days >= FEWEST_DAYS else ""
    if winner:
        found = ValidationErrors(days, errors, chosen=errors[winner], sure=True)
        return ModelSelection({winner: 1.0}, found)
    error = wape(validation.units, ModelSelection(mixture).combine(forecasts))
    return ModelSelection(mixture, ValidationErrors(days, errors, chosen=error, sure=False))


def _usual_share(*, noised: bool, learned: bool) -> float:
    if not learned:
        return UNLEARNED_LOCAL_SHARE
    return NOISED_LOCAL_SHARE if noised else USUAL_LOCAL_SHARE


def _ruined(validation: FeatureMatrix, forecasts: Mapping[str, Floats], days: int) -> bool:
    """Whether the refined model is worse than the habit for sure, or the federation's far worse."""
    shared, refined, habit = (
        np.abs(forecasts[method] - validation.units)
        for method in ("federated", "personalised", "weekday-mean")
    )
    if days > 1 and shared.sum() > RUINED * habit.sum():
        return _t_statistic(validation, shared - habit) > LEAST_T
    return days >= FEWEST_DAYS and _t_statistic(validation, refined - habit) > LEAST_T


def _mixture(local_share: float) -> dict[str, float]:
    shares = {"personalised": 1 - local_share, "local": local_share}
    return {method: share for method, share in shares.items() if share > 0}


def _best_share(validation: FeatureMatrix, forecasts: Mapping[str, Floats]) -> float:
    losses = [
        float(np.abs(ModelSelection(_mixture(s)).combine(forecasts) - validation.units).sum())
        for s in LOCAL_SHARES
    ]
    return LOCAL_SHARES[int(np.argmin(losses))]


def _challenger(
    validation: FeatureMatrix, forecasts: Mapping[str, Floats], mixture: Mapping[str, float]
) -> str:
    """Name the method that beats the mixture for sure; "" where none does."""
    mixed = np.abs(ModelSelection(mixture).combine(forecasts) - validation.units)
    advantage = {
        method: _t_statistic(validation, mixed - np.abs(forecasts[method] - validation.units))
        for method in CHALLENGERS
    }
    best = max(advantage, key=lambda method: advantage[method])
    return best if advantage[best] > LEAST_T else ""


def _t_statistic(validation: FeatureMatrix, saved: Floats) -> float:
    """Mean of the units saved a day in standard errors; the products of a day err together."""
    by_day = validation.keys.assign(saved=saved).groupby("date")["saved"].sum().to_numpy()
    error = by_day.std(ddof=1) / np.sqrt(len(by_day))
    return float(by_day.mean() / error) if error > 0 else 0.0
