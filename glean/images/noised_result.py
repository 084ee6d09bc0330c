"""The final test where all that is opened of it carries noise: shares of hits, and no counts."""

from __future__ import annotations

from typing import Any

import pandas as pd

from glean.class_scores import METRICS
from glean.evaluation.plain_conclusion import FEDERATED, START
from glean.federation.server.conclusion import FinishedRounds, ResultTable
from glean.images.partition import NOISED_METHODS
from glean.images.result_files import ALL, BY_CLIENT, OF_ALL, write_rows
from glean.languages.language import ENGLISH, Language
from glean.metric_sums import ALL_CLIENTS

_DIGITS = 3


def conclude_noised(run: FinishedRounds) -> str:
    """Have clients keep their scores, and write the means with noise; the summary as a sentence.

    Raises
    ------
    FederationError
        No client gave valid scores, or too few did for the noise that is accounted.
    """
    methods = NOISED_METHODS if run.settings.baselines else NOISED_METHODS[:1]
    run.loop.test(run.result, findings="")
    means = run.loop.noised_test(run.result, methods=len(methods)).means
    found = dict(zip(methods, means, strict=True))
    if run.loop.test_start(run.result):
        found[START] = run.loop.noised_test(run.result, methods=1).means[0]
    unknown = dict.fromkeys(("rows", *METRICS))
    rows = [
        {"method": method, **unknown, "accuracy": 1.0 - misses} for method, misses in found.items()
    ]
    write_rows(run.folder, BY_CLIENT, [{"bakery": ALL_CLIENTS, **row} for row in rows])
    write_rows(run.folder, OF_ALL, [{"group": ALL, **row} for row in rows])
    return _sentence(1.0 - found[FEDERATED], run.loop.score_noise, ENGLISH)


def noised_rows(table: pd.DataFrame, noise: float) -> list[dict[str, Any]]:
    """Give what a model's card says of `scores.csv` without counts, with its noise."""
    scores = zip(table["method"], table["accuracy"], strict=True)
    return [
        {"method": method, "accuracy": round(value, 6), "noise": round(noise, 6)}
        for method, value in scores
    ]


def noised_table(table: pd.DataFrame, noise: float, language: Language) -> ResultTable:
    """Make the final table of `scores.csv` without counts.

    Parameters
    ----------
    table : DataFrame
        Rows by method.
    noise : float
        Standard deviation of the noise in each score.
    language : Language
        Of the sentences.
    """
    scores = dict(zip(table["method"], table["accuracy"], strict=True))
    return ResultTable(
        title=language.translate("Test pictures, the mean over clients"),
        heads=(language.translate("method"), language.translate("accuracy")),
        rows=tuple((name, _written(value, noise, language)) for name, value in scores.items()),
        best=frozenset(),  # noise may be all that tells them apart
        sentences=(_sentence(scores[FEDERATED], noise, language),),
    )


def _sentence(accuracy: float, noise: float, language: Language) -> str:
    return language.translate(
        "The federation's model: accuracy {accuracy} on test pictures, the mean over clients. "
        "What stands behind ± is the noise in it, as a standard deviation.",
        accuracy=_written(accuracy, noise, language),
    )


def _written(value: float, noise: float, language: Language) -> str:
    return f"{language.number(value, _DIGITS)} ± {language.number(noise, _DIGITS)}"
