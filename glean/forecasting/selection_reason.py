"""Why a bakery bakes by what it does: errors on its validation days, and a sentence of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from glean.languages.catalogues import translatable
from glean.languages.language import Language

NAMES = {
    "personalised": translatable("the federation's model refined on your own sales"),
    "federated": translatable("the federation's model as it is"),
    "local": translatable("a model of your own sales alone"),
    "weekday-mean": translatable("the mean of the last four same weekdays"),
}
"""Method -> what it is, for the one who bakes by it."""


@dataclass(frozen=True)
class ValidationErrors:
    """How far off the forecasts were that a bakery chose from.

    Parameters
    ----------
    days : int
        Validation days; 0 where there were none to choose by.
    by_method : mapping of str to float
        Method -> its WAPE on them.
    chosen : float
        WAPE of what was chosen.
    sure : bool
        Whether that is a single method which beat every mix for sure.
    """

    days: int
    by_method: Mapping[str, float]
    chosen: float
    sure: bool


def reason_in(language: Language, weights: Mapping[str, float], errors: ValidationErrors) -> str:
    """Say in a sentence for the owner why the forecast is made of these methods.

    Parameters
    ----------
    language : Language
        Of the sentence.
    weights : mapping of str to float
        Method -> its share.
    errors : ValidationErrors
        What was chosen by.
    """
    if errors.sure:
        return _of_winner(language, next(iter(weights)), errors)
    made = language.listed(
        [
            language.translate(
                "{share} {model}", share=language.percent(share, 0), model=_name(language, method)
            )
            for method, share in weights.items()
        ]
    )
    if not errors.days:
        return language.translate(
            "{made}: there are no days yet to choose by, so this is what usually serves best.",
            made=made,
        )
    return language.translate_count(
        "{made}: on the last day before the test it was off by {error} of the sales ({others}).",
        "{made}: on the last {count} days before the test it was off by {error} of the sales "
        "({others}).",
        errors.days,
        made=made,
        error=language.percent(errors.chosen),
        others=_others(language, errors.by_method),
    )


def _of_winner(language: Language, winner: str, errors: ValidationErrors) -> str:
    others = {method: error for method, error in errors.by_method.items() if method != winner}
    return language.translate(
        "{model}: on the last {days} days before the test it was off by {error} of the sales, "
        "clearly less than any mix ({others}).",
        model=_name(language, winner),
        days=errors.days,
        error=language.percent(errors.chosen),
        others=_others(language, others),
    )


def _others(language: Language, errors: Mapping[str, float]) -> str:
    return ", ".join(
        language.translate(
            "{model} {error}", model=_name(language, method), error=language.percent(error)
        )
        for method, error in errors.items()
    )


def _name(language: Language, method: str) -> str:
    return language.translate(NAMES[method])
