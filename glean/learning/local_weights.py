"""The local baseline of `fedavg`: the same kind of model, trained on one bakery's rows alone."""

from __future__ import annotations

import logging

from glean.errors import ModelError
from glean.features.matrix import FeatureMatrix
from glean.learning.model_weights import Weights
from glean.learning.weight_models import fit_round, initial_weights, predict_weights
from glean.metrics import wape

LOG = logging.getLogger("glean")

MOST_ROUNDS = 100
PATIENCE = 10
"""Rounds without a better validation WAPE after which training stops."""

DEFAULT_ROUNDS = 20
"""Taken where there is no validation window to choose on."""


def train_local_weights(
    kind: str,
    train: FeatureMatrix,
    validation: FeatureMatrix,
    *,
    learning_rate: float,
    seed: int,
) -> Weights:
    """Train on one bakery's rows alone; the number of rounds is chosen by its validation.

    Parameters
    ----------
    kind : str
        "neural" or "poisson".
    train, validation : FeatureMatrix
        The bakery's rows before the validation window, and in it.
    learning_rate : float
        The federation's.
    seed : int
        Seed of the first weights and of the order of rows.

    Returns
    -------
    Weights
        Those of the round with the least validation WAPE.
    """
    weights = initial_weights(kind, train.definition, seed=seed)
    best, best_wape, best_round = weights, _wape(weights, validation), 0
    rounds = MOST_ROUNDS if len(validation) else DEFAULT_ROUNDS
    for number in range(1, rounds + 1):
        try:
            weights = fit_round(
                kind, weights, train, learning_rate=learning_rate, seed=(seed + number) % 2**31
            )
        except ModelError as error:
            # Not raised: whoever chooses the learning rate would read from it how steep rows are.
            LOG.warning("a bakery's own weights stay as they were: %s", error)
            break
        found = _wape(weights, validation)
        if not found >= best_wape:
            best, best_wape, best_round = weights, found, number
        if number - best_round >= PATIENCE:
            break
    return best


def _wape(weights: Weights, rows: FeatureMatrix) -> float:
    """WAPE in units; NaN without rows, which counts as better, so that the last round is kept."""
    if len(rows) == 0:
        return float("nan")
    relative = predict_weights(weights.kind, weights, rows.x)
    return wape(rows.units, rows.units_of(relative))
