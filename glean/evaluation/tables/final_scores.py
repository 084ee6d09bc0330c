"""The final test at the server: what the bakeries say of their test windows becomes scores."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from glean.errors import FederationError, ImpossibleSumError, ModelError
from glean.evaluation.tables.backtest import (
    CLIENT_METHODS,
    NOISED_METHODS,
    START,
    rows_from_json,
    start_row_from_json,
)
from glean.evaluation.tables.scores import BakeryScore
from glean.evaluation.tables.summed_scores import scores_of
from glean.federation.server.conclusion import FinishedRounds
from glean.federation.wire.sum_request import FINAL
from glean.runs.setback_events import SumRefused
from glean.sales.table import ALL_BAKERIES

LOG = logging.getLogger("glean")

_NO_DAY = (
    "no bakery has a day in the test window that could be judged: see events.jsonl, and the "
    "settings test-start and test-days"
)


def final_scores(run: FinishedRounds, *, findings: str) -> list[BakeryScore]:
    """Have the bakeries score the final model, its baselines, and the model that it began with.

    Parameters
    ----------
    run : FinishedRounds
        The rounds that were run.
    findings : str
        JSON of how far the federation's forecasts are off; "" where that isn't known.

    Returns
    -------
    list of BakeryScore
        In no order.

    Raises
    ------
    ImpossibleSumError
        Only the sum over all is opened, and no rows can have it.
    FederationError
        No bakery gave valid scores, or none has a day that could be scored.
    """
    replies = run.loop.test(run.result, findings=findings)
    if not run.loop.shows_scores:
        return _summed_scores(run)
    scores: list[BakeryScore] = []
    for name, text in replies.items():
        try:
            scores += rows_from_json(text, bakery=name)
        except ModelError as error:
            run.clients.report_failure(name, str(error), round_number=run.result.last_round)
    if not any(score.n_rows for score in scores):
        raise FederationError(_NO_DAY)
    return scores + _start_scores(run, run.loop.test_start(run.result), scores)


def noised_rows(run: FinishedRounds) -> list[dict[str, Any]]:
    """Have the bakeries keep their scores, and give the means with noise as `bakeries.csv`.

    A row a method for all bakeries together, of which only the WAPE is known.

    Raises
    ------
    FederationError
        No bakery gave valid scores, or too few did for the noise that is accounted.
    """
    methods = NOISED_METHODS if run.settings.baselines else NOISED_METHODS[:1]
    run.loop.test(run.result, findings="")
    means = run.loop.noised_test(run.result, methods=len(methods)).means
    found = dict(zip(methods, means, strict=True))
    if run.loop.test_start(run.result):
        found[START] = run.loop.noised_test(run.result, methods=1).means[0]
    return [
        {"bakery": ALL_BAKERIES, "cohort": "established", "method": method, "wape": wape}
        for method, wape in found.items()
    ]


def _summed_scores(run: FinishedRounds) -> list[BakeryScore]:
    """One row a method for all bakeries, each of which keeps its own at home."""
    scores = _scores_in_sum(run, CLIENT_METHODS)
    if not scores:
        raise FederationError(_NO_DAY)
    if run.loop.test_start(run.result):
        try:
            scores += _scores_in_sum(run, (START,))
        except FederationError as error:
            LOG.warning("the model that the run started from isn't scored: %s", error)
    return scores


def _scores_in_sum(run: FinishedRounds, methods: Sequence[str]) -> list[BakeryScore]:
    sums = run.loop.summed_test(run.result, methods=len(methods))
    try:
        return scores_of(sums, methods)
    except ModelError as error:
        run.folder.append_event(SumRefused(run.result.last_round, FINAL, str(error)))
        raise ImpossibleSumError(str(error)) from error


def _start_scores(
    run: FinishedRounds, replies: Mapping[str, str], final: Sequence[BakeryScore]
) -> list[BakeryScore]:
    found: list[BakeryScore] = []
    for name, text in replies.items():
        mine = [score for score in final if score.bakery == name]
        if not mine:
            continue
        try:
            found.append(start_row_from_json(text, final=mine))
        except ModelError as error:
            run.clients.report_failure(name, str(error), round_number=run.result.last_round)
    return found
