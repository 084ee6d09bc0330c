"""The final test at the server: what the bakeries say of their test windows becomes scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from glean.errors import FederationError, ModelError
from glean.evaluation.backtest import rows_from_json, start_row_from_json
from glean.evaluation.scores import BakeryScore
from glean.federation.conversation import Conversation
from glean.federation.rounds import Outcome, Rounds


def final_scores(rounds: Rounds, talk: Conversation, outcome: Outcome) -> list[BakeryScore]:
    """Have the bakeries judge the final model, its rivals, and the model that the run started from.

    Parameters
    ----------
    rounds : Rounds
        The rounds that were run.
    talk : Conversation
        Where a bakery is named whose scores can't be.
    outcome : Outcome
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
    scores: list[BakeryScore] = []
    for name, text in rounds.test(outcome).items():
        try:
            scores += rows_from_json(text, bakery=name)
        except ModelError as error:
            talk.report_failure(name, str(error), round_number=outcome.last_round)
    if not any(score.n_rows for score in scores):
        raise FederationError(
            "no bakery has a day in the test window that could be judged: see events.jsonl, and "
            "the settings test-start and test-days"
        )
    return scores + _start_scores(rounds.test_start(outcome), scores, talk, outcome)


def _start_scores(
    replies: Mapping[str, str],
    final: Sequence[BakeryScore],
    talk: Conversation,
    outcome: Outcome,
) -> list[BakeryScore]:
    found: list[BakeryScore] = []
    for name, text in replies.items():
        mine = [score for score in final if score.bakery == name]
        if not mine:
            continue
        try:
            found.append(start_row_from_json(text, final=mine))
        except ModelError as error:
            talk.report_failure(name, str(error), round_number=outcome.last_round)
    return found
