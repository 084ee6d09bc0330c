from __future__ import annotations

import numpy as np
import pytest

from glean.errors import ModelError
from glean.learning.local_weights import train_local_weights
from glean.learning.weight_models import fit_round, initial_weights, predict_weights
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


def test_steps_that_run_away_leave_the_best_weights(caplog: pytest.LogCaptureFixture) -> None:
    """Whether a bakery fails would tell whoever chose the step how steep its rows are."""
    train, validation = random_matrix(300), random_matrix(80, seed=1)
    with pytest.raises(ModelError, match="ran away"):
        fit_round(
            "neural",
            initial_weights("neural", DEFINITION, seed=3),
            train,
            learning_rate=1e30,
            seed=4,
        )
    found = train_local_weights("neural", train, validation, learning_rate=1e30, seed=3)
    assert found.to_npz() == initial_weights("neural", DEFINITION, seed=3).to_npz()
    assert "ran away" in caplog.text
