"""The words of the report that need saying what they mean."""

from __future__ import annotations

from glean.evaluation.tables.headline import MEANINGS

GLOSSARY = (
    (
        "WAPE",
        "Weighted absolute percentage error: the sum of all errors, too much and too little alike, "
        "divided by the sum of what was sold. At 20%, a day with 100 rolls sold is missed by 20 "
        "rolls on average.",
    ),
    (
        "RMSE",
        "Root of the mean squared error of a day and product, in the unit of the sales: big misses "
        "weigh more than in WAPE, and so do big bakeries.",
    ),
    (
        "test days",
        "The last days of each bakery. No model was fitted to them and nothing was chosen by them; "
        "all methods are scored on exactly the same days and products.",
    ),
    (
        "validation days",
        "The days before the test days. By them the best round is chosen.",
    ),
    (
        "established, newcomer",
        "A newcomer has at most 60 days of sales before its test days, others are established.",
    ),
    (
        "thrown away, missed",
        "What a policy would have baked beyond what was asked for, and what was asked for beyond "
        "what it would have baked. What was sold is taken for what was asked for, or an estimate "
        "of it where a product sold out.",
    ),
    *MEANINGS.items(),
)
"""Terms and their meanings."""
