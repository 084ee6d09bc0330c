"""The irises by themselves: how they are shared out, and how weights fit and score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss

from glean.federation.workload.plain import Rows
from glean.iris.workload import CENTRE, IRIS, SPREAD, STEP_SIZE, STEPS
from glean.learning.learning_rates import learning_rate_of
from glean.learning.model_weights import Weights
from glean.settings import RunSettings

RATE = learning_rate_of(RunSettings.from_config({"workload": "iris"}).rounds)


def first_weights() -> Weights:
    return IRIS.first_model("{}", RunSettings(workload="iris"))


def shares_of(seed: int, *, clients: int = 5) -> list[tuple[Rows, Rows, Rows]]:
    return list(IRIS.split(clients, RunSettings(seed=seed)))


def together(shares: list[tuple[Rows, Rows, Rows]], window: int) -> Rows:
    """The rows of one window of all clients."""
    x, labels = zip(*(share[window] for share in shares), strict=True)
    return np.concatenate(x), np.concatenate(labels)


def fedavg_by_hand(shares: list[tuple[Rows, Rows, Rows]], *, rounds: int = 20) -> Weights:
    """The weights of the best of some rounds of plain averaging, without any federation."""
    weights = first_weights()
    rows = [len(share[0][0]) for share in shares]
    tried = []
    for _ in range(rounds):
        fitted = [
            IRIS.fit(weights, share[0], learning_rate=RATE, seed=0).arrays
            for share in shares
            if len(share[0][0])
        ]
        means = {
            name: np.average([a[name] for a in fitted], axis=0, weights=[n for n in rows if n])
            for name in weights.arrays
        }
        weights = replace(weights, arrays={k: v.astype(np.float32) for k, v in means.items()})
        tried.append((IRIS.score(weights, together(shares, 1)).log_loss, weights))
    return min(tried, key=lambda pair: pair[0])[1]


@given(st.integers(1, 300), st.integers(0, 2**31 - 1))
@settings(max_examples=50)
def test_every_flower_is_in_one_window_of_one_client(clients: int, seed: int) -> None:
    """Whatever the number of clients and the seed; a flower is known by its lengths and species."""
    shares = shares_of(seed, clients=clients)
    assert len(shares) == clients
    x, labels = zip(*(window for share in shares for window in share), strict=True)
    found = np.column_stack([np.concatenate(x) * SPREAD + CENTRE, np.concatenate(labels)])
    wanted = np.column_stack(load_iris(return_X_y=True))
    order, wanted_order = (np.lexsort(rows.round(6).T) for rows in (found, wanted))
    np.testing.assert_allclose(found[order], wanted[wanted_order], atol=1e-9)


@given(st.integers(1, 12), st.integers(0, 2**31 - 1))
@settings(max_examples=20)
def test_windows_are_shares_of_a_clients_rows(clients: int, seed: int) -> None:
    """Three, one and one fifth, to half a row."""
    for share in shares_of(seed, clients=clients):
        sizes = np.array([len(labels) for _, labels in share])
        assert (np.abs(sizes - sizes.sum() * np.array([0.6, 0.2, 0.2])) <= 1.0).all()


def test_species_are_shared_out_unevenly_and_by_the_seed() -> None:
    """Another seed gives another split, the same one the same; clients differ in their species."""
    one, again, other = shares_of(1), shares_of(1), shares_of(2)
    for window in range(3):
        assert np.array_equal(together(one, window)[0], together(again, window)[0])
    assert not np.array_equal(one[0][0][0], other[0][0][0])
    counts = np.array([np.bincount(share[0][1], minlength=3) for share in one])
    assert np.ptp(counts / counts.sum(axis=1, keepdims=True), axis=0).max() > 0.3


def test_a_model_without_training_calls_all_species_equally_likely() -> None:
    """Log loss of zeros is log 3."""
    score = IRIS.score(first_weights(), shares_of(0)[0][0])
    assert score.log_loss == pytest.approx(np.log(3))


def test_training_is_repeatable_and_leaves_its_input_alone() -> None:
    """The same bytes each time, whatever the seed; given weights stay as they are."""
    start, rows = first_weights(), shares_of(0)[0][0]
    before = start.to_npz()
    one, two = (IRIS.fit(start, rows, learning_rate=RATE, seed=k).to_npz() for k in range(2))
    assert one == two != before == start.to_npz()


def test_scores_are_those_of_scikit_learn() -> None:
    """Log loss and accuracy of a model that scikit-learn has fitted."""
    shares = shares_of(0)
    (x, labels), test = together(shares, 0), together(shares, 2)
    model = LogisticRegression(C=0.1).fit(x, labels)
    fitted = {"coefficients": model.coef_.T, "intercepts": model.intercept_}
    arrays = {name: values.astype(np.float32) for name, values in fitted.items()}
    score = IRIS.score(replace(first_weights(), arrays=arrays), test)
    assert score.rows == len(test[1])
    assert score.log_loss == pytest.approx(log_loss(test[1], model.predict_proba(test[0])))
    assert score.accuracy == accuracy_score(test[1], model.predict(test[0]))
    assert score.accuracy < 1.0


def test_training_is_gradient_descent() -> None:
    """Against a plain loop over rows, species and lengths."""
    x, labels = shares_of(0)[0][0]
    coefficients, intercepts = np.zeros((4, 3)), np.zeros(3)
    for _ in range(STEPS):
        slope, offset = np.zeros((4, 3)), np.zeros(3)
        for row, label in zip(x, labels, strict=True):
            odds = [np.exp(row @ coefficients[:, k] + intercepts[k]) for k in range(3)]
            for k in range(3):
                error = odds[k] / sum(odds) - (label == k)
                slope[:, k] += error * row / len(labels)
                offset[k] += error / len(labels)
        coefficients -= STEP_SIZE * RATE * slope
        intercepts -= STEP_SIZE * RATE * offset
    fitted = IRIS.fit(first_weights(), (x, labels), learning_rate=RATE, seed=0).arrays
    assert fitted["coefficients"] == pytest.approx(coefficients, rel=1e-5)
    assert fitted["intercepts"] == pytest.approx(intercepts, rel=1e-5)


def test_a_step_that_is_far_too_large_stays_finite() -> None:
    """Scores of the largest weights there may be: no infinity, no warning."""
    start = first_weights()
    huge = {k: np.full_like(v, 1e4) for k, v in start.arrays.items()}
    huge["coefficients"][:, 0] = -1e4
    score = IRIS.score(replace(start, arrays=huge), together(shares_of(0), 0))
    assert np.isfinite(score.as_tuple).all()


def test_averaging_is_as_good_as_pooled_training() -> None:
    """At most one point below scikit-learn's logistic regression, on average over 20 seeds.

    Averaged by hand as FedAvg says (`tests/iris/test_runs.py` holds that a run does the same);
    `python -m benchmarks.iris` measures whole runs: 0.9535 against 0.9520 on 28 November 2026.
    """
    federated, pooled = [], []
    for seed in range(20):
        shares = shares_of(seed)
        x, labels = together(shares, 2)
        federated.append(IRIS.score(fedavg_by_hand(shares), (x, labels)).accuracy)
        model = LogisticRegression(max_iter=1_000).fit(*together(shares, 0))
        pooled.append(accuracy_score(labels, model.predict(x)))
    assert np.mean(pooled) > 0.9
    assert np.mean(federated) >= np.mean(pooled) - 0.01
