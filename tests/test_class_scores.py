"""Scores of classifiers from counts, beside scikit-learn's of the single rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from glean.class_scores import BINS, METRICS, ClassScores
from glean.errors import ModelError


def labelled(seed: int, rows: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities that lean towards them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, rows)
    scores = rng.normal(size=(rows, classes)) + 1.5 * np.eye(classes)[labels]
    odds = np.exp(scores)
    return labels, odds / odds.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_metrics_are_those_of_the_single_rows(classes: int) -> None:
    """Whatever scikit-learn makes of labels and probabilities follows from the counts."""
    labels, probabilities = labelled(classes, 500, classes)
    predicted = probabilities.argmax(axis=1)
    scores = ClassScores.of(labels, probabilities)
    assert scores.rows == 500
    assert scores.log_loss == pytest.approx(metrics.log_loss(labels, probabilities))
    assert scores.accuracy == metrics.accuracy_score(labels, predicted)
    assert scores.balanced_accuracy == pytest.approx(
        metrics.balanced_accuracy_score(labels, predicted)
    )
    assert scores.macro_f1 == pytest.approx(metrics.f1_score(labels, predicted, average="macro"))
    np.testing.assert_array_equal(scores.confusion, metrics.confusion_matrix(labels, predicted))


def test_the_area_under_the_curve_is_that_of_the_ranks_but_for_ties_in_a_bin() -> None:
    """Of two classes; of more there is none."""
    labels, probabilities = labelled(0, 2000, 2)
    exact = metrics.roc_auc_score(labels, probabilities[:, 1])
    assert ClassScores.of(labels, probabilities).auc == pytest.approx(exact, abs=2e-3)
    assert np.isnan(ClassScores.of(*labelled(0, 20, 3)).auc)


def test_the_calibration_error_is_that_of_a_loop_over_bins() -> None:
    """Rows by the bin of their confidence, weighted by how many there are."""
    labels, probabilities = labelled(1, 700, 4)
    sure, hit = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    error = 0.0
    for low in range(BINS):
        inside = (sure >= low / BINS) & ((sure < (low + 1) / BINS) | (low == BINS - 1))
        if inside.any():
            error += inside.mean() * abs(sure[inside].mean() - hit[inside].mean())
    assert ClassScores.of(labels, probabilities).calibration_error == pytest.approx(error)


@given(st.integers(0, 2**31), st.integers(0, 60), st.integers(2, 5))
def test_scores_of_two_parts_add_up_to_those_of_the_whole(
    seed: int, rows: int, classes: int
) -> None:
    """Wherever the rows are cut; and they come back from their vector."""
    labels, probabilities = labelled(seed, rows, classes)
    cut = rows // 3
    parts = (
        ClassScores.of(labels[where], probabilities[where])
        for where in (slice(cut), slice(cut, None))
    )
    first, second = parts
    whole = ClassScores.of(labels, probabilities)
    np.testing.assert_allclose((first + second).to_vector(), whole.to_vector(), atol=1e-9)
    again = ClassScores.from_vector(whole.to_vector(), classes)
    np.testing.assert_array_equal(again.to_vector(), whole.to_vector())
    assert len(whole.to_vector()) == ClassScores.length(classes)


def test_of_no_rows_nothing_is_known() -> None:
    """No metric is a number."""
    assert all(np.isnan(value) for value in ClassScores.none(3).metrics().values())
    assert set(ClassScores.none(2).metrics()) == set(METRICS)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v[:-1], "found 54 counts of a classifier; wanted 55"),
        (lambda v: np.append(v, 0.0), "wanted 55"),
        (lambda v: -v, "negative"),
        (lambda v: v + np.inf, "aren't finite"),
        (lambda v: v + np.eye(1, 55, 2)[0] * 1e6, "don't fit together"),
    ],
)
def test_counts_that_no_rows_have_are_refused(change: object, said: str) -> None:
    """They may come from anyone."""
    vector = ClassScores.of(*labelled(2, 30, 3)).to_vector()
    assert callable(change)
    with pytest.raises(ModelError, match=said):
        ClassScores.from_vector(change(vector), 3)
