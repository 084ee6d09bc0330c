"""The noise that is really drawn: its distribution, and that of the sum over bakeries.

Randomness is the operating system's, so each test raises a false alarm once in a million runs.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from glean.federation.client.noised_vector import noise_on
from glean.federation.wire.noised_parts import budget_of, part_deviation
from glean.federation.wire.sum_request import DAY_GRADIENTS
from glean.learning.day_sums import GRADIENT_SENSITIVITY, UNIT
from glean.privacy import discrete_gaussian
from glean.privacy.discrete_gaussian import LARGEST_SIGMA, sample
from glean.privacy.noise_budget import relied_on
from glean.settings import RunSettings

FALSE_ALARM = 1e-6

Whole = NDArray[np.int64]


def chi_square_alarm(drawn: Whole, sigma: float) -> bool:
    """Whether counts of each number are too far from the discrete Gaussian's."""
    reach = math.ceil(12 * sigma)
    x = np.arange(-reach, reach + 1)
    expected = np.exp(-(x**2) / (2 * sigma**2))
    expected *= len(drawn) / expected.sum()
    counts = np.bincount(np.clip(drawn, -reach, reach) + reach, minlength=len(x))
    usual = expected >= 10
    counts = np.append(counts[usual], counts[~usual].sum())
    expected = np.append(expected[usual], expected[~usual].sum())
    statistic = ((counts - expected) ** 2 / expected).sum()
    return bool(statistic > stats.chi2.isf(FALSE_ALARM, len(expected) - 1))


@pytest.mark.parametrize("sigma", [1, 2, 3, 7, 20])
def test_each_number_comes_as_often_as_it_should(sigma: int) -> None:
    """Chi-square over all numbers that come ten times or more."""
    assert not chi_square_alarm(sample(sigma, 200_000), sigma)


def test_a_wrong_deviation_would_raise_the_alarm() -> None:
    """Else the test above would say nothing: three per cent more are noticed."""
    assert chi_square_alarm(sample(20, 200_000), 20 / 1.03)


@pytest.mark.parametrize("sigma", [2**22 + 12345, 2**31 - 1, LARGEST_SIGMA])
def test_at_the_scale_of_a_run_it_is_a_normal_distribution(sigma: int) -> None:
    """Kolmogorov and Smirnov's distance, with Massart's bound on its tail."""
    drawn = np.sort(sample(sigma, 100_000)) / sigma
    below = np.arange(len(drawn) + 1) / len(drawn)
    normal = stats.norm.cdf(drawn)
    distance = max((below[1:] - normal).max(), (normal - below[:-1]).max())
    assert distance <= math.sqrt(math.log(2 / FALSE_ALARM) / (2 * len(drawn)))


def test_what_64_bits_cant_decide_is_decided_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here every comparison goes the exact way, which real draws need once in 2**43."""
    monkeypatch.setattr(discrete_gaussian, "_DECIDED", 2.0)
    assert not chi_square_alarm(sample(3, 3_000), 3)


def test_no_seed_leads_to_the_noise() -> None:
    """It is another one each time, whatever NumPy's generators were seeded with."""
    np.random.seed(0)  # noqa: NPY002
    first = sample(2**22, 100)
    np.random.seed(0)  # noqa: NPY002
    assert (first != sample(2**22, 100)).any()


def test_the_sum_over_two_thirds_of_the_bakeries_has_the_accounted_variance() -> None:
    """Drawn as the bakeries of a run draw it; more than accounted by rounding up only."""
    settings = RunSettings.from_config({"privacy": "noise"})
    parties, numbers = 12, 20_000
    senders = relied_on(parties)
    total = sum(noise_on(DAY_GRADIENTS, numbers, settings, parties=parties) for _ in range(senders))
    accounted = budget_of(settings).gradients * GRADIENT_SENSITIVITY * UNIT
    statistic = float((np.asarray(total, dtype=float) ** 2).sum()) / accounted**2
    low, high = stats.chi2.ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2], numbers)
    assert low < statistic < high
    each = part_deviation(DAY_GRADIENTS, settings, parties=parties)
    assert accounted <= each * math.sqrt(senders) < accounted * (1 + 1e-5)
