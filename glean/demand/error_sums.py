"""How far a model is off over all bakeries, summed up at the server: for those with few errors."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

import numpy as np

from glean.aggregation.error_histogram import (
    COUNTS_LENGTH,
    MOMENTS_LENGTH,
    ErrorDistribution,
    variance_of,
)
from glean.aggregation.metric_sums import decode
from glean.demand.error_parts import ERROR_COUNTS, MOMENTS, Encoded
from glean.errors import FederationError, ImpossibleSumError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.server.conclusion import FinishedRounds
from glean.federation.wire.sum_request import SumRequest
from glean.privacy.mask_graph import FEWEST_BAKERIES

LOG = logging.getLogger("glean")


def sum_errors(run: FinishedRounds) -> ErrorDistribution | None:
    """Sum up how far the final model is off on validation windows.

    Only where somebody is to forecast by it or to compare, and where sums are masked or the tables
    are the operator's anyhow, and want no noise; and a run doesn't fail by it.
    """
    settings = run.settings
    if settings.noise.wanted:
        return None  # these sums carry no noise
    if (run.deployed and not settings.secure_sums) or not (run.deployed or settings.baselines):
        return None
    manager, sum_rounds = run.loop.manager, run.loop.sum_rounds
    try:
        return error_distribution(manager, sum_rounds, run.result.last_round, run.result.model)
    except FederationError as error:
        LOG.warning("newcomers can't borrow how sure forecasts are: %s", error)
        return None


def error_distribution(
    manager: ClientManager, sum_rounds: SumRounds, number: int, model: GlobalModel
) -> ErrorDistribution | None:
    """Sum up how far a model is off on the validation windows of those who train.

    Where scores are hidden, of those who score: sums over two sets would tell who is in one only.
    None where they are too few to hide each other, or fell silent.

    Raises
    ------
    FederationError
        The sums are lost.
    """
    trainers = [name for name in manager.trainers if name in manager.clients.present]
    names = trainers if manager.shows_scores else sum_rounds.scorers()
    if len(names) < FEWEST_BAKERIES:
        return None
    totals = sum_rounds.totals(number)
    base = SumRequest((), (), unit_weight=totals.unit_weight, num_clients=totals.num_clients)
    request = replace(base, parts=(MOMENTS,), contributes=(MOMENTS,))
    result = sum_rounds.run(
        number,
        model,
        dict.fromkeys(names, request),
        length=MOMENTS_LENGTH,
        check=partial(_check_possible, most=np.inf),
    )
    scale = variance_of(decode(result.total, num_clients=totals.num_clients))
    if scale is None or len(result.replies) < FEWEST_BAKERIES:
        return None
    request = replace(base, parts=(ERROR_COUNTS,), contributes=(ERROR_COUNTS,), scale=scale)
    asked = dict.fromkeys(result.replies, request)
    rows = float(decode(result.total, num_clients=totals.num_clients)[0])
    result = sum_rounds.run(
        number,
        model,
        asked,
        length=COUNTS_LENGTH,
        check=partial(_check_possible, most=rows + 1.0),
    )
    counted = result.total.tolist()
    if len(result.replies) < FEWEST_BAKERIES or not sum(counted):
        return None
    return ErrorDistribution(scale[0] * totals.unit_weight, scale[1], tuple(counted))


def _check_possible(total: Encoded, *, most: float) -> None:
    """Refuse sums and counts of errors that are negative, or beyond all rows together."""
    if (total < 0).any() or total.astype(np.float64).sum() > most:
        raise ImpossibleSumError(
            f"found sums of errors from {total.min()} to {total.max()}; wanted none below zero, "
            f"and counts of at most {most:g} rows in all"
        )
