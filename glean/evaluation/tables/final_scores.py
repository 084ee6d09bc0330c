"""The final test at the server: what the bakeries say of their test windows becomes scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from glean.errors import FederationError, ModelError
from glean.evaluation.tables.backtest import (
    CLIENT_METHODS,
    START,
    rows_from_json,
    start_row_from_json,
)
from glean.evaluation.tables.scores import BakeryScore
from glean.evaluation.tables.summed_scores import scores_of
from glean.federation.coordination.exchange import ClientExchange
from glean.federation.server.training_loop import TrainingLoop, TrainingResult

_NO_DAY = (
    "no bakery has a day in the test window that could be judged: see events.jsonl, and the "
    "settings test-start and test-days"
)


def final_scores(
    rounds: TrainingLoop, clients: ClientExchange, outcome: TrainingResult
) -> list[BakeryScore]:
    """Have the bakeries judge the final model, its rivals, and the model that the run started from.

    Parameters
    ----------
    rounds : TrainingLoop
        The rounds that were run.
    talk : ClientExchange
        Where a bakery is named whose scores can't be.
    outcome : TrainingResult
        What the rounds came to.

    Returns
    -------
    list of BakeryScore
        In no order.

    Raises
    ------
    FederationError
        No bakery gave valid scores, or none has a day that could be judged.
    """
    replies = rounds.test(outcome)
    if not rounds.shows_scores:
        return _summed_scores(rounds, outcome)
    scores: list[BakeryScore] = []
    for name, text in replies.items():
        try:
            scores += rows_from_json(text, bakery=name)
        except ModelError as error:
            clients.report_failure(name, str(error), round_number=outcome.last_round)
    if not any(score.n_rows for score in scores):
        raise FederationError(_NO_DAY)
    return scores + _start_scores(rounds.test_start(outcome), scores, clients, outcome)


def _summed_scores(rounds: TrainingLoop, outcome: TrainingResult) -> list[BakeryScore]:
    """One row a method for all bakeries, each of which keeps its own at home."""
    sums = rounds.summed_test(outcome, methods=len(CLIENT_METHODS))
    scores = scores_of(sums, CLIENT_METHODS)
    if not scores:
        raise FederationError(_NO_DAY)
    if rounds.test_start(outcome):
        scores += scores_of(rounds.summed_test(outcome, methods=1), (START,))
    return scores


def _start_scores(
    replies: Mapping[str, str],
    final: Sequence[BakeryScore],
    clients: ClientExchange,
    outcome: TrainingResult,
) -> list[BakeryScore]:
    found: list[BakeryScore] = []
    for name, text in replies.items():
        mine = [score for score in final if score.bakery == name]
        if not mine:
            continue
        try:
            found.append(start_row_from_json(text, final=mine))
        except ModelError as error:
            clients.report_failure(name, str(error), round_number=outcome.last_round)
    return found
