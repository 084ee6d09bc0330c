"""A classifier's scores as sums, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, log_loss

from glean.classification import ClassificationSums, Floats

Labels = np.ndarray[tuple[int], np.dtype[np.int64]]
CLASSES = 3


def random_predictions(seed: int, *, rows: int, sureness: float = 1.0) -> tuple[Labels, Floats]:
    """Labels, and probabilities at random; the surer, the nearer to 0 and 1."""
    rng = np.random.default_rng(seed)
    scores = sureness * rng.normal(size=(rows, CLASSES))
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return rng.integers(0, CLASSES, rows), odds / odds.sum(axis=1, keepdims=True)


@given(st.integers(0, 2**31), st.integers(1, 50), st.sampled_from([0.0, 1.0, 10.0, 1_000.0]))
def test_metrics_are_those_of_scikit_learn(seed: int, rows: int, sureness: float) -> None:
    """Also of a classifier that is wrong and sure of it."""
    labels, probabilities = random_predictions(seed, rows=rows, sureness=sureness)
    sums = ClassificationSums.of(labels, probabilities)
    assert sums.rows == rows
    wanted = log_loss(labels, probabilities, labels=range(CLASSES))
    assert sums.log_loss == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    assert sums.accuracy == pytest.approx(accuracy_score(labels, probabilities.argmax(axis=1)))


@given(st.integers(0, 2**31), st.integers(0, 40), st.integers(0, 40))
def test_sums_of_two_clients_are_those_of_all_rows(seed: int, rows: int, others: int) -> None:
    """Wherever the rows are cut, also where one client has none."""
    labels, probabilities = random_predictions(seed, rows=rows + others)
    one = ClassificationSums.of(labels[:rows], probabilities[:rows])
    other = ClassificationSums.of(labels[rows:], probabilities[rows:])
    whole = ClassificationSums.of(labels, probabilities)
    assert (one + other).as_tuple == pytest.approx(whole.as_tuple)


def test_no_rows_make_empty_sums() -> None:
    """A client may have none to score on."""
    empty = ClassificationSums.of(*random_predictions(0, rows=0))
    assert empty == ClassificationSums()


def test_a_probability_of_nothing_or_a_little_too_much_stays_in_bounds() -> None:
    """Zero gives no infinity; a rounding error above one gives no negative loss."""
    labels = np.array([0, 1])
    sums = ClassificationSums.of(labels, np.array([[0.0, 1.0], [0.0, 1.0 + 1e-15]]))
    assert sums.log_losses == pytest.approx(-np.log(np.finfo(np.float64).eps))
    sure = ClassificationSums.of(labels[1:], np.array([[0.0, 1.0 + 1e-15]]))
    assert ClassificationSums.from_values(sure.as_tuple).log_loss == 0.0
