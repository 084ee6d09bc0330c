"""Fisher's irises, split over clients unevenly by label: logistic regression, averaged."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np

from glean.classification import ClassificationSums, Floats
from glean.federation.workload.plain import PlainWorkload, Rows
from glean.installed_packages import check_installed
from glean.learning.model_weights import Weights
from glean.seeds import derived_seed
from glean.settings import RunSettings

EVENNESS = 1.0
"""Parameter of the Dirichlet distribution: the smaller, the fewer species a client has."""

STEPS, STEP_SIZE = 30, 10.0
"""Gradient steps a round, each so many times the learning rate; chosen on validation rows."""

CENTRE, SPREAD = np.array([5.8, 3.1, 3.8, 1.2]), np.array([0.8, 0.4, 1.8, 0.8])
"""Round figures for the four lengths, cm, that everybody knows: no client's mean has to travel."""


class IrisWorkload(PlainWorkload):
    """Three species by four lengths."""

    metrics = ClassificationSums
    purpose = "To show how a workload is built; it tells three species of iris by four lengths."
    kind = "logistic"
    shapes: ClassVar = {"coefficients": (4, 3), "intercepts": (3,)}

    def split(self, clients: int, settings: RunSettings) -> Sequence[tuple[Rows, Rows, Rows]]:
        """Share species out by Dirichlet draws; of a client's rows 60, 20 and 20% a window."""
        return _split(clients, derived_seed(settings.seed, "iris"))

    def fit(self, weights: Weights, rows: Rows, *, learning_rate: float, seed: int) -> Weights:
        """Descend the gradient of the log loss; on all rows at once, so that nothing is drawn."""
        del seed
        x, labels = rows
        held = {name: values.astype(np.float64) for name, values in weights.arrays.items()}
        for _ in range(STEPS):
            error = (probabilities(held, x) - np.eye(3)[labels]) / len(labels)
            held["coefficients"] -= STEP_SIZE * learning_rate * x.T @ error
            held["intercepts"] -= STEP_SIZE * learning_rate * error.sum(axis=0)
        return Weights(self.kind, weights.spec, {k: v.astype(np.float32) for k, v in held.items()})

    def score(self, weights: Weights, rows: Rows) -> ClassificationSums:
        """Score weights on rows."""
        held = {name: values.astype(np.float64) for name, values in weights.arrays.items()}
        return ClassificationSums.of(rows[1], probabilities(held, rows[0]))


def probabilities(held: dict[str, Floats], x: Floats) -> Floats:
    """Give the probability of each species for rows of `x`."""
    scores = x @ held["coefficients"] + held["intercepts"]
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


@lru_cache(maxsize=4)
def _split(clients: int, seed: int) -> list[tuple[Rows, Rows, Rows]]:
    check_installed("sklearn")
    from sklearn.datasets import load_iris

    lengths, species = load_iris(return_X_y=True)
    rng, owner = np.random.default_rng(seed), np.empty(len(species), dtype=np.int64)
    for label in range(3):
        where = np.flatnonzero(species == label)
        owner[where] = rng.choice(clients, len(where), p=rng.dirichlet([EVENNESS] * clients))
    mine = [rng.permutation(np.flatnonzero(owner == client)) for client in range(clients)]
    cuts = [np.split(rows, [round(0.6 * len(rows)), round(0.8 * len(rows))]) for rows in mine]
    x = (lengths - CENTRE) / SPREAD
    return [((x[a], species[a]), (x[b], species[b]), (x[c], species[c])) for a, b, c in cuts]


IRIS = IrisWorkload()
