"""Bakeries that lie in a federation in this process: what they put in place of their own sums.

A bad member does all that an honest one does, keys and masks included, and changes its vector
before it is masked, so that no check of messages finds it. `lying` makes some bakeries of this
process bad for as long as its body runs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from glean.aggregation.metric_sums import encode_sums
from glean.demand.tree_trainer import TreeTrainer
from glean.federation.client.sum_responder import SumResponder
from glean.federation.wire import sum_request
from glean.federation.wire.sum_messages import SumReply
from glean.federation.wire.sum_request import (
    DAY_GRADIENTS,
    HISTOGRAMS,
    LEAVES,
    SCORES,
    WEIGHTS,
)
from glean.federation.workload.weight_trainer import WeightTrainer
from glean.learning.day_sums import LARGEST_RESIDUAL
from glean.learning.oblivious_trees import random_trees
from glean.metric_sums import MetricSums
from glean.metrics import ErrorSums

Encoded = NDArray[np.int64]
Lie = Callable[[str, Encoded, SumResponder], Encoded]
"""Given a part's name, its honest numbers and who sums them: what is sent instead."""

LEARNING = frozenset({LEAVES, HISTOGRAMS, WEIGHTS, DAY_GRADIENTS})

_SCALE = 10.0
_BIAS = 0.5
_WEIGHT_BIAS = 0.05
_NOISE = 30.0

BOAST = 1e3
"""By what factor scores are forged."""


def random_words(_part: str, honest: Encoded, _who: SumResponder) -> Encoded:
    """Send words from all over the ring."""
    rng = np.random.default_rng(7)
    return rng.integers(-(2**63), 2**63 - 1, len(honest), dtype=np.int64)


def zeros(_part: str, honest: Encoded, _who: SumResponder) -> Encoded:
    """Send nothing, as if it had no rows."""
    return np.zeros_like(honest)


def flipped(part: str, honest: Encoded, who: SumResponder) -> Encoded:
    """Turn the gradient around: away from what its rows say."""
    return _turned(part, honest, who, -1.0)


def scaled(part: str, honest: Encoded, who: SumResponder) -> Encoded:
    """Turn the gradient around, ten times as long."""
    return _turned(part, honest, who, -_SCALE)


def noisy(part: str, honest: Encoded, who: SumResponder) -> Encoded:
    """Hide the gradient under normal noise of thirty times its own spread."""
    rng = np.random.default_rng(who.request.rows)
    gradient = _gradient(part, honest, who)
    return _with_gradient(
        part, honest, who, gradient + rng.normal(0.0, _NOISE * gradient.std() + 1.0, gradient.shape)
    )


def biased(part: str, honest: Encoded, who: SumResponder) -> Encoded:
    """Say that half a level more was sold on each row (Baruch et al., NeurIPS 2019)."""
    gradient = _gradient(part, honest, who)
    match part:
        case sum_request.WEIGHTS:
            return _with_gradient(part, honest, who, gradient + _WEIGHT_BIAS)
        case sum_request.DAY_GRADIENTS:
            return _with_gradient(
                part, honest, who, gradient - LARGEST_RESIDUAL * _day_weights(who)
            )
        case _:
            return _with_gradient(part, honest, who, gradient - _BIAS * honest[1::2])


ATTACKS: dict[str, Lie] = {
    "random words": random_words,
    "flipped gradient": flipped,
    "scaled gradient": scaled,
    "huge noise": noisy,
    "zeros": zeros,
    "constant bias": biased,
}
"""What is done to the parts that a model is made of."""

FORGED = "forged scores"
"""The one attack on scores: the first model is praised beyond measure, every later one damned."""


@contextmanager
def lying(bad: Collection[str], attack: str, *, boast: float = BOAST) -> Iterator[None]:
    """Make these bakeries bad while the body runs.

    Parameters
    ----------
    bad : collection of str
        Who.
    attack : str
        One of `ATTACKS`, or `FORGED`.
    boast : float
        By what factor scores are forged.
    """
    part_of, reply_of = SumResponder._part, SumResponder._reply

    def part(who: SumResponder, name: str, sums: MetricSums | None) -> Encoded:
        honest = part_of(who, name, sums)
        if who._client.name not in bad or name not in who.request.contributes:
            return honest
        if attack == FORGED and name == SCORES and isinstance(sums, ErrorSums):
            request = who.request
            return encode_sums(
                _forged(sums, who, boast),
                unit_weight=request.unit_weight,
                num_clients=request.num_clients,
            )
        lies = attack in ATTACKS and name in LEARNING
        return ATTACKS[attack](name, honest, who) if lies else honest

    def reply(who: SumResponder, **fields: object) -> SumReply:
        honest = reply_of(who, **fields)  # type: ignore[arg-type]
        if attack == FORGED and who._client.name in bad and honest.sums:
            told = _forged(ErrorSums.from_values(honest.sums), who, boast)
            return replace(honest, sums=told.as_tuple)
        return honest

    SumResponder._part, SumResponder._reply = part, reply  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        SumResponder._part, SumResponder._reply = part_of, reply_of  # type: ignore[method-assign]


def _forged(sums: ErrorSums, who: SumResponder, boast: float) -> ErrorSums:
    first = who._task.round <= 2  # the first round's model is scored on the way to the second
    if first:
        return ErrorSums(rows=sums.rows, units=boast * sums.units, sold_rows=sums.sold_rows)
    return ErrorSums(
        rows=sums.rows,
        units=sums.units,
        abs_error=boast * sums.abs_error,
        squared_error=boast**2 * sums.squared_error,
        sold_rows=sums.sold_rows,
        relative_error=boast * sums.relative_error,
    )


def _turned(part: str, honest: Encoded, who: SumResponder, factor: float) -> Encoded:
    return _with_gradient(part, honest, who, factor * _gradient(part, honest, who))


def _gradient(part: str, honest: Encoded, who: SumResponder) -> NDArray[np.float64]:
    """Take what the model moves by out of a part: for weights the way that they went."""
    if part == WEIGHTS:
        weight = honest[-1] or 1
        return honest[:-1] / weight - _held(who)
    if part == DAY_GRADIENTS:
        return honest.astype(np.float64)
    return honest[::2].astype(np.float64)


def _with_gradient(
    part: str, honest: Encoded, who: SumResponder, gradient: NDArray[np.float64]
) -> Encoded:
    whole = np.rint(gradient).astype(np.int64)
    if part == DAY_GRADIENTS:
        return whole
    found = honest.copy()
    if part == WEIGHTS:
        found[:-1] = np.rint((_held(who) + gradient) * honest[-1]).astype(np.int64)
    else:
        found[::2] = whole
    return found


def _held(who: SumResponder) -> NDArray[np.float64]:
    trainer = who._trainer
    assert isinstance(trainer, WeightTrainer), "only weights are averaged"
    arrays = trainer.weights.arrays.values()
    return np.concatenate([values.ravel() for values in arrays]).astype(np.float64)


def _day_weights(who: SumResponder) -> Encoded:
    trainer = who._trainer
    assert isinstance(trainer, TreeTrainer), "only trees have leaves"
    trees = random_trees(trainer._layout, seed=trainer._seed, number=who._task.round)
    return trainer._day_sums.hessians(trees)
