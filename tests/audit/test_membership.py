"""The likelihood ratio against formulas, and against runs with noise and without."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from glean.audit.membership import area, best_area, likelihood_ratios, membership
from glean.federation.wire.noised_parts import budget_of
from tests.audit.audited_runs import BAKERIES, Attacked


def test_the_ratio_is_that_of_the_normal_densities() -> None:
    """With every density written out: mean and covariance of the others' coins, and the noise."""
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(5, 3))
    released = rng.normal(size=3)
    found = likelihood_ratios(parts, released)
    for day in range(5):
        others = np.delete(parts, day, axis=0)
        mean, covariance = others.sum(axis=0) / 2, np.eye(3) + others.T @ others / 4
        without = stats.multivariate_normal.logpdf(released, mean, covariance)
        with_it = stats.multivariate_normal.logpdf(released, mean + parts[day], covariance)
        assert found[day] == pytest.approx(with_it - without)


def test_the_area_of_two_normals_and_its_interval() -> None:
    """A mu apart it's the bound; the interval holds the truth in 95 of 100 samples, nearly."""
    mu, held = 0.8, 0
    for seed in range(200):
        score = np.random.default_rng(seed).normal(size=200)
        took_part = np.arange(200) < 100
        low, high = area(score + mu * took_part, took_part)[1]
        held += low <= best_area(mu) <= high
    assert stats.binomtest(held, 200, 0.95).pvalue > 1e-6
    assert area(np.array([2.0, 3.0, 1.0, 0.0]), np.arange(4) < 2) == (1.0, (1.0, 1.0))


@pytest.mark.slow
def test_a_day_is_found_without_noise_and_not_with_it(
    telling: Attacked, noised: Attacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a table small enough; at the default epsilon it's guessing, to a false alarm in a million.

    The attacker knows every other row. On this table a day adds far less than it may, so the area
    is below what the epsilon would allow.
    """
    monkeypatch.setattr("glean.audit.membership.MOST_DAYS", 80)
    for run, succeeds in ((telling, True), (noised, False)):
        found = membership(
            run.whole.leaves,
            run.whole.member,
            list(run.evidence.bakeries.values()),
            run.whole.settings,
            senders=BAKERIES,
        )
        if succeeds:
            assert found.auc >= 0.8
            assert found.significant
        else:
            low, high = found.interval
            wider = 4.9 / 1.96 * (high - low) / 2
            assert abs(found.auc - 0.5) < wider
            assert found.auc - wider < best_area(budget_of(run.whole.settings).mu)
