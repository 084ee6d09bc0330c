from __future__ import annotations

import numpy as np
import pytest

from glean.learning.local_weights import train_local_weights
from glean.learning.weight_models import initial_weights, predict_weights
from glean.metrics import wape
from tests.matrices import DEFINITION, random_matrix


@pytest.mark.parametrize(("kind", "rate"), [("neural", 0.1), ("poisson", 1.0)])
def test_training_alone_never_ends_worse_than_it_began(kind: str, rate: float) -> None:
    """The kept weights are the best seen on the validation window, the first ones included."""
    train, validation = random_matrix(300), random_matrix(80, seed=1)
    found = train_local_weights(kind, train, validation, learning_rate=rate, seed=3)
    first = initial_weights(kind, DEFINITION, seed=3)

    def error(weights: object) -> float:
        relative = predict_weights(kind, weights, validation.x)  # type: ignore[arg-type]
        return wape(validation.units, np.maximum(relative, 0.0) * validation.level)

    assert found.kind == kind
    assert error(found) < error(first)


def test_without_a_validation_window_a_fixed_number_of_rounds_is_run() -> None:
    """A newcomer's own model is trained, not left at its first weights; twice the same."""
    train, none = random_matrix(60), random_matrix(60).rows(np.zeros(60, dtype=bool))
    once = train_local_weights("poisson", train, none, learning_rate=1.0, seed=3)
    again = train_local_weights("poisson", train, none, learning_rate=1.0, seed=3)
    assert once.to_npz() == again.to_npz()
    assert once.to_npz() != initial_weights("poisson", DEFINITION, seed=3).to_npz()
