"""Sums over all clients that score a model: on validation rows, and in the final test."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from glean.aggregation.metric_sums import decode, decode_sums
from glean.errors import FederationError, ImpossibleSumError
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.groups import group_label
from glean.federation.coordination.retries import retries
from glean.federation.coordination.sum_result import SumResult
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.coordination.wanted_sum import Check, Encoded
from glean.federation.wire.final_test_sums import summed
from glean.federation.wire.opened_cohorts import TEST, VALIDATION
from glean.federation.wire.sum_request import FINAL, SCORES, SumRequest
from glean.federation.workload.registry import workload_of
from glean.metric_sums import ALL_CLIENTS, MetricSums
from glean.runs.setback_events import RoundUnscored

LOG = logging.getLogger("glean")

Scores = Mapping[str, MetricSums]
"""By client; where each keeps its own, one entry, `ALL_CLIENTS`, or one for each group."""

Floats = NDArray[np.float64]

ONE = np.ones(1, dtype=np.int64)
"""The finest step of a sum: what rounding a summand moves it by at most."""


def sum_scores(sum_rounds: SumRounds, number: int, model: GlobalModel) -> Scores:
    """Have bakeries score a model on their validation windows, in a sum of its own.

    Empty, which is said, where it could only be opened over others than a sum before.

    Raises
    ------
    FederationError
        There is no valid score.
    """
    manager = sum_rounds.manager
    request = _scores_request(sum_rounds, number)
    metrics = workload_of(manager.settings).metrics
    length = metrics.length() * len(request.parts)
    for attempt in retries(manager, number):
        attempt.asked = sum_rounds.scorers(without=attempt.spent)
        if request.parts and not attempt.asked:
            _report_unscored(sum_rounds, number)
            return {}
        asked = dict.fromkeys(attempt.asked, request)
        result = sum_rounds.run(
            number, model, asked, length=length, check=_scores_check(metrics, request)
        )
        if result.absent:
            attempt.asked = sorted(result.absent)
        if result.replies and (scores := scores_in(metrics, result, hidden=bool(request.parts))):
            return scores
    raise manager.failed(f"the evaluate phase of round {number}")


def _report_unscored(sum_rounds: SumRounds, number: int) -> None:
    unscored = RoundUnscored(number, sum_rounds.cohorts.missing(VALIDATION))
    sum_rounds.manager.clients.folder.append_event(unscored)
    LOG.warning("round %d: %s", number, unscored.sentence)


def scores_in(metrics: type[MetricSums], result: SumResult, *, hidden: bool) -> Scores:
    """Read the scores of a sum: by bakery, or at the end of the vector for all of them.

    Raises
    ------
    ImpossibleSumError
        No rows can have the sum.
    """
    if hidden and result.groups:
        return _scores_of_groups(metrics, result)
    if not hidden:
        return {n: metrics.from_values(r.sums) for n, r in result.replies.items() if r.sums}
    evaluators = [name for name in result.replies if SCORES in result.requests[name].contributes]
    if not evaluators:
        return {}
    request = result.requests[evaluators[0]]
    encoded = result.total[-metrics.length() :]
    _scores_check(metrics, request)(encoded)
    sums = decode_sums(
        metrics, encoded, unit_weight=request.unit_weight, num_clients=request.num_clients
    )
    return {ALL_CLIENTS: sums}


def _scores_of_groups(metrics: type[MetricSums], result: SumResult) -> Scores:
    """Read the scores of each group, without those that no rows can have."""
    found: dict[str, MetricSums] = {}
    for place, one in result.groups.items():
        with suppress(ImpossibleSumError):
            scores = scores_in(metrics, one, hidden=True)
            found |= {group_label(place): sums for sums in scores.values()}
    return found


def _scores_check(metrics: type[MetricSums], request: SumRequest) -> Check:
    """Give what refuses a sum of scores that no rows can have; a sum of nothing passes."""

    def check(total: Encoded) -> None:
        if not len(total):
            return
        relative = decode_sums(metrics, total, unit_weight=1.0, num_clients=request.num_clients)
        slack = request.num_clients * float(decode(ONE, num_clients=request.num_clients)[0])
        if why := relative.impossible(slack):
            raise ImpossibleSumError(f"{why}, relative to the mean row")

    return check


def sum_final_test(sum_rounds: SumRounds, number: int, *, tested: str, methods: int) -> Floats:
    """Sum up what bakeries kept of the final test, shape (methods, fields).

    Raises
    ------
    FederationError
        Nobody gave a valid reply, or it could only be opened over others than one before.
    """
    manager = sum_rounds.manager
    request = replace(_relative_request(sum_rounds, number, FINAL), tested=tested)
    powers = workload_of(manager.settings).final_unit_powers(manager.spec)
    for attempt in retries(manager, number):
        there = manager.clients.present - attempt.spent
        attempt.asked = sum_rounds.cohorts.choose(TEST, there, there=there, steady=True)
        if there and not attempt.asked:
            raise FederationError(
                "the final scores can't be summed up: earlier ones were, with "
                f"{sum_rounds.cohorts.missing(TEST)}, and the difference would tell theirs"
            )
        asked = dict.fromkeys(attempt.asked, request)
        result = sum_rounds.run(number, None, asked, length=methods * len(powers))
        if result.absent:
            attempt.asked = sorted(result.absent)
        if result.replies:
            return summed(
                result.total,
                unit_powers=powers,
                unit_weight=request.unit_weight,
                num_clients=request.num_clients,
            )
    raise manager.failed("the sum of the final scores")


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
