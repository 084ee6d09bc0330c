"""The words of the report that need saying what they mean."""

from __future__ import annotations

from glean.languages.catalogues import translatable
from glean.languages.language import Language

MEANINGS = {
    "federated": translatable(
        "the model that the bakeries trained together without showing each other sales"
    ),
    "start-from": translatable(
        "the model that this run went on from, before it learned from the newer rows"
    ),
    "personalised": translatable("the federation's model, refined by each bakery on its own sales"),
    "chosen": translatable(
        "what each bakery bakes by: the method or mix that its own validation days chose"
    ),
    "local": translatable("the same kind of model, trained by each bakery alone on its own sales"),
    "pooled": translatable(
        "one model trained on everyone's sales in one place, which only a simulation can do"
    ),
    "weekday-mean": translatable("the mean of the last four same weekdays"),
    "last-week": translatable("what was sold on the same weekday last time"),
}
"""Method -> what it is, as half a sentence."""

_TERMS = (
    (
        translatable("WAPE"),
        translatable(
            "Weighted absolute percentage error: the sum of all errors, too much and too little "
            "alike, divided by the sum of what was sold. At 20%, a day with 100 rolls sold is "
            "missed by 20 rolls on average."
        ),
    ),
    (
        translatable("RMSE"),
        translatable(
            "Root of the mean squared error of a day and product, in the unit of the sales: big "
            "misses weigh more than in WAPE, and so do big bakeries."
        ),
    ),
    (
        translatable("test days"),
        translatable(
            "The last days of each bakery. No model was fitted to them and nothing was chosen by "
            "them; all methods are scored on exactly the same days and products."
        ),
    ),
    (
        translatable("validation days"),
        translatable("The days before the test days. By them the best round is chosen."),
    ),
    (
        translatable("established, newcomer"),
        translatable(
            "A newcomer has at most 60 days of sales before its test days, others are established."
        ),
    ),
    (
        translatable("thrown away, missed"),
        translatable(
            "What a policy would have baked beyond what was asked for, and what was asked for "
            "beyond what it would have baked. What was sold is taken for what was asked for, or an "
            "estimate of it where a product sold out."
        ),
    ),
)


def glossary(language: Language) -> list[tuple[str, str]]:
    """Give terms and their meanings; methods are called as in the files."""
    terms = [(language.translate(term), language.translate(text)) for term, text in _TERMS]
    return [*terms, *((name, language.translate(text)) for name, text in MEANINGS.items())]
