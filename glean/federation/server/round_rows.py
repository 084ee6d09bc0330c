"""A round's rows in the tables of a run's folder, its event, and its line in the log."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from glean.federation.coordination.exchange import ClientExchange
from glean.federation.coordination.grid_messenger import Traffic
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.server.round_result import RoundResult
from glean.federation.server.round_scores import RoundScore
from glean.federation.workload.registry import load
from glean.metric_sums import metric_label, written_score
from glean.runs.events import RoundFinished
from glean.workloads import WORKLOADS

LOG = logging.getLogger("glean")


@dataclass(frozen=True)
class RoundStart:
    """When a round began, and what had been sent by then."""

    time: float
    traffic: Traffic

    @classmethod
    def now(cls, clients: ClientExchange) -> Self:
        """Begin a round: nothing has failed in it yet."""
        clients.failures = 0
        return cls(time.monotonic(), replace(clients.traffic))


def write_round(
    sum_rounds: SumRounds,
    start: RoundStart,
    number: int,
    result: RoundResult,
    found: RoundScore,
    *,
    noise: float | None = None,
) -> None:
    """Write down a round that is over.

    Parameters
    ----------
    sum_rounds : SumRounds
        Knows the run's folder, what was sent and what failed, and what sums are relative to.
    start : RoundStart
        When the round began.
    number : int
        The round; 0 is the model that a run started from.
    result : RoundResult
        Who was asked, and whose reply is in the model.
    found : RoundScore
        What is known of how good the round's model is.
    noise : float, optional
        Standard deviation of the noise in the scores, where they carry any: then no number of rows
        is known.
    """
    clients = sum_rounds.manager.clients
    row = {
        "round": number,
        "bakeries": result.asked,
        "replies": result.replies,
        "failures": clients.failures,
        **found.metrics,
        "bytes_down": clients.traffic.down - start.traffic.down,
        "bytes_up": clients.traffic.up - start.traffic.up,
        "seconds": round(time.monotonic() - start.time, 3),
        "virtual_seconds": result.virtual_seconds,
    }
    client_rows = _client_rows(number, found, noised=noise is not None)
    columns = found.total.COLUMNS
    finite = _finite_only(row)
    took_part = _participants(sum_rounds, number, result)
    clients.folder.append_round(columns, finite, client_rows, took_part)
    noise, spent = noise if found.scores else None, _spent(sum_rounds, number)
    event = replace(RoundFinished.from_row(finite), noise=noise, epsilon=spent)
    clients.folder.append_event(event)
    column = columns[0]
    if noise is not None:
        column = found.total.BOUNDED or column
    primary = found.metrics[column]
    score = written_score(primary, noise, digits=4)
    score = f"validation {metric_label(column)} {score}"
    score = score if math.isfinite(primary) else "not scored"
    told = "" if spent is None else f", epsilon {spent:.3f} spent"
    LOG.info("round %d: %s, %d replies%s", number, score, result.replies, told)


def _client_rows(number: int, found: RoundScore, *, noised: bool) -> list[dict[str, Any]]:
    """Give a row for each whose scores are known; with noise of no known number of rows."""
    rows: list[dict[str, Any]] = [
        {"round": number, "bakery": name, "n_examples": int(sums.rows), **sums.metrics()}
        for name, sums in found.scores.items()
    ]
    return [_finite_only(row | ({"n_examples": None} if noised else {})) for row in rows]


def _participants(sum_rounds: SumRounds, number: int, result: RoundResult) -> list[dict[str, Any]]:
    """Give a row for each whose update is in the model, where not all take part in each round."""
    rounds = sum_rounds.manager.settings.rounds
    if not rounds.selects:
        return []
    return [
        {"round": number, "bakery": name, "staleness": staleness}
        for name, staleness in sorted(result.learned.items())
    ]


def _spent(sum_rounds: SumRounds, number: int) -> float | None:
    """Give the epsilon that a client has spent after a round, as its workload accounts for it."""
    manager, totals = sum_rounds.manager, sum_rounds.cohorts.totals
    if not (place := WORKLOADS[manager.settings.workload].spent):
        return None
    mean = totals.rows / max(1, len(manager.trainers)) if totals else 0.0
    found: float | None = load(place)(manager.settings, mean, number)
    return found


def _finite_only(row: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what isn't finite: JSON has no word for it, and a table an empty cell."""
    return {name: None if _is_no_number(value) else value for name, value in row.items()}


def _is_no_number(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
