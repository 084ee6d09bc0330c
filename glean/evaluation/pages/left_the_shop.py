"""What left a bakery to get its forecast, in plain words for its owner, by the mode of the run."""

from __future__ import annotations

from glean.evaluation.tables.own_results import OwnResults
from glean.languages.catalogues import translatable
from glean.languages.language import Language

_ALWAYS = (
    translatable("your bakery's name and the version of the program"),
    translatable("how much you weigh in the training, rounded to two digits"),
)
_SUMS = (
    translatable(
        "trees or weights: at which public limits the forecast turns, relative to your own level"
    ),
    translatable("sums over whole windows: units sold and errors of the forecasts"),
)
_NOISED = (
    translatable(
        "sums over your days, with noise added at your shop and masked, so that only the sum of "
        "all bakeries can be read"
    ),
    translatable("how far off the forecasts were in the mean, with noise as well"),
)
_STAYED = translatable("What stayed: every row, day, product, price and level.")
_STAYED_HERE = translatable(
    "What stayed: every row, day, product, price and level. A simulation, of which this may be a "
    "report, plays all bakeries on one machine, and nothing leaves it."
)


def left_the_shop(own: OwnResults, language: Language) -> list[str]:
    """List what left the shop, a text each."""
    noised = own.privacy.get("mode") == "noise"
    names = (_ALWAYS[0], *_NOISED) if noised else (*_ALWAYS, *_SUMS)
    return [language.translate(text) for text in names]


def stayed_in_the_shop(own: OwnResults, language: Language) -> str:
    """Say what didn't leave it."""
    return language.translate(_STAYED if own.deployed else _STAYED_HERE)
