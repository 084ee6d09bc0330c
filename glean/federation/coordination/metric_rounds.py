"""Sums over all bakeries that evaluate a model: its scores, its errors, the final test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from glean.aggregation.error_histogram import (
    COUNTS_LENGTH,
    MOMENTS_LENGTH,
    ErrorDistribution,
    variance_of,
)
from glean.aggregation.metric_sums import SUMS_LENGTH, decode, decode_sums
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.retries import retries
from glean.federation.coordination.sum_rounds import SumResult, SumRounds
from glean.federation.wire.final_test_sums import FIELDS, summed
from glean.federation.wire.messages import named_sums
from glean.federation.wire.sum_request import ERROR_COUNTS, FINAL, MOMENTS, SCORES, SumRequest
from glean.metrics import ErrorSums
from glean.privacy.mask_graph import FEWEST_BAKERIES
from glean.sales.table import ALL_BAKERIES

Floats = NDArray[np.float64]


def sum_scores(sum_rounds: SumRounds, number: int, model: GlobalModel) -> dict[str, ErrorSums]:
    """Have bakeries score a model on their validation windows, in a sum of its own.

    Raises
    ------
    FederationError
        There is no valid score.
    """
    manager = sum_rounds.manager
    request = _scores_request(sum_rounds, number)
    length = SUMS_LENGTH * len(request.parts)
    for attempt in retries(manager, number):
        attempt.asked = manager.sample_evaluators(without=attempt.spent)
        asked = dict.fromkeys(attempt.asked, request)
        result = sum_rounds.run(number, model, asked, length=length)
        if result.replies and (scores := scores_in(result, hidden=bool(request.parts))):
            return scores
    raise manager.failed(f"the evaluate phase of round {number}")


def scores_in(result: SumResult, *, hidden: bool) -> dict[str, ErrorSums]:
    """Read the scores of a sum: by bakery, or at the end of the vector for all of them."""
    if not hidden:
        return {n: named_sums(r.sums) for n, r in result.replies.items() if r.sums}
    evaluators = [name for name in result.replies if SCORES in result.requests[name].contributes]
    if not evaluators:
        return {}
    request = result.requests[evaluators[0]]
    words = result.total[-SUMS_LENGTH:]
    sums = decode_sums(words, unit_weight=request.unit_weight, num_clients=request.num_clients)
    return {ALL_BAKERIES: sums}


def sum_final_test(sum_rounds: SumRounds, number: int, *, methods: int) -> Floats:
    """Sum up what bakeries kept of the final test, shape (methods, FIELDS).

    Raises
    ------
    FederationError
        Nobody gave a valid reply.
    """
    manager = sum_rounds.manager
    request = _relative_request(sum_rounds, number, FINAL)
    for attempt in retries(manager, number):
        attempt.asked = sorted(manager.clients.present - attempt.spent)
        asked = dict.fromkeys(attempt.asked, request)
        result = sum_rounds.run(number, None, asked, length=methods * len(FIELDS))
        if result.replies:
            return summed(
                result.total, unit_weight=request.unit_weight, num_clients=request.num_clients
            )
    raise manager.failed("the sum of the final scores")


def sum_errors(sum_rounds: SumRounds, number: int, model: GlobalModel) -> ErrorDistribution | None:
    """Sum up how far a model is off on the validation windows of those who train.

    None where they are too few to hide each other, or fell silent.
    """
    manager = sum_rounds.manager
    names = [name for name in manager.trainers if name in manager.clients.present]
    if len(names) < FEWEST_BAKERIES:
        return None
    request = _relative_request(sum_rounds, number, MOMENTS)
    asked = dict.fromkeys(names, request)
    result = sum_rounds.run(number, model, asked, length=MOMENTS_LENGTH)
    scale = variance_of(decode(result.total, num_clients=request.num_clients))
    if scale is None or len(result.replies) < FEWEST_BAKERIES:
        return None
    counting = replace(request, parts=(ERROR_COUNTS,), contributes=(ERROR_COUNTS,), scale=scale)
    asked = dict.fromkeys(result.replies, counting)
    result = sum_rounds.run(number, model, asked, length=COUNTS_LENGTH)
    counted = result.total.tolist()
    if len(result.replies) < FEWEST_BAKERIES or min(counted) < 0 or not sum(counted):
        return None
    return ErrorDistribution(scale[0] * request.unit_weight, scale[1], tuple(counted))


def _scores_request(sum_rounds: SumRounds, number: int) -> SumRequest:
    if sum_rounds.manager.shows_scores:
        return SumRequest(with_scores=True)
    return _relative_request(sum_rounds, number, SCORES)


def _relative_request(sum_rounds: SumRounds, number: int, part: str) -> SumRequest:
    """Ask for one part, in numbers that are relative to the federation's mean row."""
    totals = sum_rounds.totals(number)
    return SumRequest(
        (part,), (part,), unit_weight=totals.unit_weight, num_clients=totals.num_clients
    )
