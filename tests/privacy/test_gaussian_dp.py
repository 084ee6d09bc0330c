"""The epsilon that is stated, against computations that share nothing with the closed form."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats

from glean.features.definition import FeatureDefinition
from glean.features.matrix import build_features
from glean.features.seasons import STAND_IN_DAYS
from glean.federation.wire.noised_parts import part_deviation
from glean.federation.wire.sum_request import CLIPPED_SCORE, DAY_GRADIENTS, DAY_HESSIANS
from glean.learning.day_sums import UNIT
from glean.learning.oblivious_trees import LEAVES_PER_ROUND
from glean.privacy.discrete_gaussian import divergence_of_sum
from glean.privacy.gaussian_dp import composed, delta_of, epsilon_of, mu_of
from glean.privacy.noise_budget import RECORDS_OF_A_DAY, NoiseBudget, part_of, relied_on
from glean.sales.table import SalesTable
from glean.settings import RunSettings
from tests.tables import random_table

Floats = NDArray[np.float64]

NOISED = RunSettings.from_config({"privacy": "noise"})


class LossDistribution:
    """Privacy losses of Gaussian releases on a grid, convolved by FFT; always rounded one way.

    Rounded up the delta that comes out is an upper bound, rounded down a lower one.
    """

    STEP = 5e-4
    REACH = 40.0

    def __init__(self, deviations: list[float], *, up: bool) -> None:
        cells = int(2 * self.REACH / self.STEP)
        self._losses = (np.arange(cells) - cells // 2) * self.STEP
        spectrum = np.ones(cells, dtype=complex)
        for deviation in set(deviations):
            one = np.fft.fft(np.fft.ifftshift(self._masses(deviation, up=up)))
            spectrum *= one ** deviations.count(deviation)
        self._masses_of_all = np.fft.fftshift(np.fft.ifft(spectrum).real)

    def _masses(self, deviation: float, *, up: bool) -> Floats:
        # An output x has the loss (1 - 2x) / (2 deviation**2), the neighbour being shifted by 1.
        x = np.linspace(-12 * deviation, 12 * deviation, 100_001)
        mass = np.diff(stats.norm.cdf(x, scale=deviation))
        largest, smallest = ((1 - 2 * end) / (2 * deviation**2) for end in (x[:-1], x[1:]))
        place = np.ceil(largest / self.STEP) if up else np.floor(smallest / self.STEP)
        cells = len(self._losses)
        place = place.astype(np.int64) + cells // 2
        return np.asarray(np.bincount(place, mass, minlength=cells), dtype=np.float64)

    def delta(self, epsilon: float) -> float:
        beyond = self._losses > epsilon
        gain = -np.expm1(epsilon - self._losses[beyond])
        return float((self._masses_of_all[beyond] * gain).sum())


@pytest.mark.parametrize(("epsilon", "rounds"), [(1.0, 20), (4.0, 20), (4.0, 30), (8.0, 5)])
def test_the_epsilon_of_a_run_agrees_with_convolved_privacy_losses(
    epsilon: float, rounds: int
) -> None:
    """Both bounds of an accountant by FFT enclose the closed form's delta, and are near it."""
    delta = 1e-4  # the FFT's own rounding errors are 1e-13
    budget = NoiseBudget(epsilon, delta, rounds)
    deviations = [budget.hessians, *[budget.gradients] * rounds]
    least = LossDistribution(deviations, up=False).delta(epsilon)
    most = LossDistribution(deviations, up=True).delta(epsilon)
    assert least <= delta <= most
    assert most - least < 0.2 * delta
    assert budget.spent == pytest.approx(epsilon, rel=1e-9)


@pytest.mark.parametrize("epsilon", [0.01, 0.5, 1.0, 4.0, 8.0, 50.0])
@pytest.mark.parametrize("delta", [1e-12, 1e-6, 1e-2])
def test_delta_is_that_of_two_normal_distributions(epsilon: float, delta: float) -> None:
    """By numeric integration of what one density has beyond exp(epsilon) times the other."""
    mu = mu_of(epsilon, delta)
    x = np.linspace(-40, 40, 200_001)
    first, second = stats.norm.logpdf(x, loc=mu), stats.norm.logpdf(x)
    more = first > second + epsilon
    excess = np.exp(first[more]) - np.exp(second[more] + epsilon)
    assert float(excess.sum() * (x[1] - x[0])) == pytest.approx(delta, rel=1e-3)
    assert delta_of(mu, epsilon) == pytest.approx(delta, rel=1e-6)
    assert epsilon_of(mu, delta) == pytest.approx(epsilon, rel=1e-9)


def test_the_epsilons_ends() -> None:
    """Nothing released costs nothing; a release without noise has no finite epsilon left."""
    assert epsilon_of(0.0, 1e-6) == 0.0
    assert composed([]) == 0.0
    assert delta_of(100.0, 8.0) == pytest.approx(1.0)


def discrete_delta(sigma: float, shift: int, epsilon: float) -> float:
    """Delta of a discrete Gaussian release whose sum moves by `shift`: all places added up."""
    x = np.arange(-int(40 * sigma), int(40 * sigma) + shift)
    log = -(x**2) / (2 * sigma**2)
    whole = np.log(np.exp(log).sum())
    first, second = log - whole, -((x - shift) ** 2) / (2 * sigma**2) - whole
    more = first > second + epsilon
    return float((np.exp(first[more]) - np.exp(second[more] + epsilon)).sum())


def lattice_bound(deviation: float, epsilon: float, step: float) -> float:
    """Bound on what whole numbers change of delta, by the error of the midpoint rule at a kink.

    Delta is the integral of max(0, p(x) - exp(epsilon) q(x)), whose slope jumps by p / deviation**2
    where both are equal; elsewhere the sum over places is the integral, but for exp(-deviation**2).
    """
    kink = epsilon * deviation**2 + 0.5
    return float(stats.norm.pdf(kink - 1, scale=deviation) / deviation**2 * step**2 / 8)


def test_whole_numbers_cost_nothing_at_our_resolution() -> None:
    """The discrete delta is off by the square of the step at most, and the step is 2**-20."""
    deviation, epsilon = 1.2, 4.0
    for bits in (1, 2, 3, 4, 5, 6):
        discrete = discrete_delta(deviation * 2**bits, 2**bits, epsilon)
        off = abs(discrete - delta_of(1 / deviation, epsilon))
        assert off <= 1.05 * lattice_bound(deviation, epsilon, 2.0**-bits)
    assert lattice_bound(deviation, epsilon, 1 / UNIT) < 1e-14


def test_the_sum_of_parts_is_nearly_one_discrete_gaussian() -> None:
    """Where the bound by Kairouz, Liu and Steinke says something, an exact convolution keeps it."""
    x = np.arange(-60, 61)
    part = np.exp(-(x**2) / 2.0)
    part /= part.sum()
    for parties in (2, 3, 5):
        total = part
        for _ in range(parties - 1):
            total = np.convolve(total, part)
        places = np.arange(len(total)) - len(total) // 2
        one = np.exp(-(places**2) / (2.0 * parties))
        one /= one.sum()
        near = np.abs(places) <= 8
        ratio = np.abs(np.log(total[near] / one[near])).max()
        assert 0 < ratio <= divergence_of_sum(1.0, parties)


def test_at_our_resolution_the_bound_is_nothing() -> None:
    """All numbers of a run together, of 3 bakeries or 10,000: below the least float64."""
    for parties in (3, 40, 10_000):
        numbers = 21 * LEAVES_PER_ROUND * NOISED.rounds.num_server_rounds
        for part in (DAY_HESSIANS, DAY_GRADIENTS, CLIPPED_SCORE):
            sigma = part_deviation(part, NOISED, parties=parties)
            assert numbers * divergence_of_sum(sigma, parties) == 0.0


@pytest.mark.parametrize("parties", [1, 2, 3, 4, 5, 10, 40, 1000])
def test_two_thirds_of_the_roster_give_the_accounted_noise(parties: int) -> None:
    """Rounded up, both the bakeries and each one's part."""
    assert relied_on(parties) == math.ceil(2 * parties / 3)
    for deviation in (0.3, 7.0, 1234567.8):
        each = part_of(deviation, parties=parties)
        assert each * math.sqrt(relied_on(parties)) >= deviation
        assert (each - 1) * math.sqrt(relied_on(parties)) < deviation


def days_moved(rows: pd.DataFrame, place: int, region: str) -> int:
    """Count the days on which a feature or the target moves with the sales of one row."""
    changed = rows.assign(units=rows["units"] + (np.arange(len(rows)) == place))
    definition = FeatureDefinition(horizon_days=1, season=True)
    before, after = (
        build_features(SalesTable(each), definition, region=region) for each in (rows, changed)
    )
    moved = (before.x != after.x) & ~(np.isnan(before.x) & np.isnan(after.x))
    learned = (before.y != after.y) & ~(np.isnan(before.y) & np.isnan(after.y))
    return int(before.keys["date"][moved.any(axis=1) | learned].nunique())


@pytest.mark.parametrize(
    ("months", "begins", "records"),
    [
        ((3, 4, 5, 6, 7, 8, 9, 10), "2025-03-01", 270),
        ((1, 2, 3, 4, 5, 8, 9, 10), "2024-08-01", 286),
    ],
)
def test_nor_do_they_where_a_product_pauses(
    months: tuple[int, ...], begins: str, records: int
) -> None:
    """Shut in winter, or twice a year: the last day of those that stand in next year."""
    rows = random_table(days=2200, products=1, closed_weekday=None).rows
    rows = rows[rows["date"].dt.month.isin(months)].reset_index(drop=True)
    first = int(np.flatnonzero(rows["date"] == pd.Timestamp(begins))[0])
    last = first + STAND_IN_DAYS - 1
    assert days_moved(rows, last, "DE-BY") == records <= RECORDS_OF_A_DAY


@pytest.mark.parametrize(
    ("closed_weekday", "region", "place", "records"),
    [(None, "", 420, 240), (6, "", 420, 214), (None, "DE-BY", 692, 248), (None, "JP", 588, 249)],
)
def test_a_days_sales_enter_the_records_of_300_days_at_most(
    closed_weekday: int | None, region: str, place: int, records: int
) -> None:
    """Counted by changing one day's sales: the days on which a feature or the target moves."""
    made = random_table(days=1700, products=1, closed_weekday=closed_weekday)
    assert days_moved(made.rows, place, region) == records <= RECORDS_OF_A_DAY
    budget = NoiseBudget(4.0, 1e-6, rounds=20)
    assert budget.spent_of_a_days_sales == pytest.approx(32784, abs=2)


def test_without_noise_nobody_adds_any() -> None:
    """Mode "sums" draws nothing."""
    assert part_deviation(DAY_GRADIENTS, RunSettings(), parties=5) == 0
