"""Noise beside an accountant of this test's own, closed forms and Rényi's bound."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from opacus.accountants import RDPAccountant

from glean.errors import SettingsError
from glean.images.privacy.noise_plan import NoisePlan, accounted_epsilon, noise_multiplier
from glean.settings import ConfigValue, RunSettings

Floats = NDArray[np.float64]

STEP = 2e-4
"""Of the grid of privacy losses."""


def normal_cdf(values: Floats) -> Floats:
    return np.array([0.5 * math.erfc(-v / math.sqrt(2.0)) for v in values.tolist()])


def loss_on_grid(sigma: float, rate: float, *, added: bool) -> tuple[Floats, float]:
    """Probabilities of the loss of one step on the grid, and the loss of their first place.

    P is a normal mixture (1 - q) N(0, s²) + q N(1, s²), Q is N(0, s²): the loss log(P / Q) grows
    with x. Each loss between two points of the grid counts as the upper one. Where `added`, draws
    and losses are those of Q against P.
    """
    xs = np.linspace(-12 * sigma, 12 * sigma + 1, 200_001)
    loss = np.log1p(rate * np.expm1((2 * xs - 1) / (2 * sigma**2)))
    without, shifted = normal_cdf(xs / sigma), normal_cdf((xs - 1) / sigma)
    cdf = without if added else (1 - rate) * without + rate * shifted
    mass = np.diff(cdf)
    upper = -loss[:-1] if added else loss[1:]
    places = np.ceil(upper / STEP).astype(int)
    first = int(places.min())
    return np.bincount(places - first, weights=mass).astype(float), first * STEP


def composed_epsilon(sigma: float, rate: float, steps: int, delta: float) -> float:
    """Epsilon of so many steps: the loss's distribution to the power of steps, by FFT."""
    found = 0.0
    for added in (False, True):
        mass, first = loss_on_grid(sigma, rate, added=added)
        mean = first + STEP * float(mass @ np.arange(len(mass)))
        centre = round((mean - first) / STEP)
        size = 1 << 20
        around = np.zeros(size)
        np.add.at(around, (np.arange(len(mass)) - centre) % size, mass)
        composed = np.fft.irfft(np.fft.rfft(around) ** steps, size).clip(0.0)
        losses = steps * (first + centre * STEP) + STEP * np.fft.fftfreq(size, 1 / size)
        low, high = 0.0, 100.0
        for _ in range(50):
            middle = (low + high) / 2
            beyond = losses > middle
            over = float(composed[beyond] @ -np.expm1(middle - losses[beyond]))
            low, high = (middle, high) if over > delta else (low, middle)
        found = max(found, high)
    return found


@pytest.mark.parametrize(
    ("sigma", "rate", "steps", "delta"),
    [(0.8, 0.01, 500, 1e-5), (1.6, 0.1, 100, 1e-6), (3.8, 1.0, 10, 1e-6), (1.0, 0.3, 1, 1e-3)],
)
def test_epsilon_is_that_of_another_composition(
    sigma: float, rate: float, steps: int, delta: float
) -> None:
    """To what both grids round; and below Rényi's, which is looser."""
    error = 0.01
    found = accounted_epsilon(sigma, rate, steps, delta, error=error)
    own = composed_epsilon(sigma, rate, steps, delta)
    assert own - STEP * steps - 1e-3 <= found <= own + 2 * error + 1e-3
    renyi = RDPAccountant()
    renyi.history = [(sigma, rate, steps)]
    assert found - 2 * error <= renyi.get_epsilon(delta=delta)


@pytest.mark.parametrize("steps", [1, 10])
def test_epsilon_of_whole_batches_is_the_gaussian_mechanism_s(steps: int) -> None:
    """Where each step takes all pictures (Balle and Wang 2018, theorem 8)."""
    sigma, delta = 3.0, 1e-5
    found = accounted_epsilon(sigma, 1.0, steps, delta, error=0.001)
    mu = math.sqrt(steps) / sigma
    at = normal_cdf(np.array([mu / 2 - found / mu, -mu / 2 - found / mu]))
    spent = at[0] - math.exp(found) * at[1]
    assert spent <= delta
    at = normal_cdf(np.array([mu / 2 - (found - 0.003) / mu, -mu / 2 - (found - 0.003) / mu]))
    assert at[0] - math.exp(found - 0.003) * at[1] > delta


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 8.0])
def test_a_run_spends_its_epsilon_and_hardly_less(epsilon: float) -> None:
    """By the accountant of this test."""
    found = noise_multiplier(epsilon, 1e-5, 0.1, 60)
    own = composed_epsilon(found, 0.1, 60, 1e-5)
    assert 0.93 * epsilon <= own <= epsilon + 60 * STEP


def plan_of(pictures: int, **changes: float) -> NoisePlan:
    config: dict[str, ConfigValue] = {k.replace("_", "-"): v for k, v in changes.items()}
    told: dict[str, ConfigValue] = {
        "workload": "images",
        "privacy": "dp-sgd",
        "num-server-rounds": 4,
    }
    return NoisePlan.of(RunSettings.from_config(told | config), pictures)


def test_a_plan_goes_by_a_client_s_own_pictures() -> None:
    """Steps as without noise, at the rate of a batch; all of few pictures."""
    plan = plan_of(100, local_epochs=2)
    assert (plan.sample_rate, plan.steps, plan.rounds) == (0.32, 8, 4)
    few = plan_of(5)
    assert (few.sample_rate, few.steps) == (1.0, 1)
    assert plan_of(100, local_steps=3).steps == 3
    spent = [plan.spent_after(number) for number in range(5)]
    assert spent[0] == 0.0
    assert spent == sorted(spent)
    assert 0.97 * plan.epsilon < spent[-1] <= plan.epsilon


def test_a_delta_that_shows_a_picture_is_refused() -> None:
    """One of n could be shown as it is with delta 1 / n."""
    with pytest.raises(SettingsError, match=r"delta: found 0[.]01 with 100 training pictures"):
        plan_of(100, delta=0.01)
    assert plan_of(99, delta=0.01).noise_multiplier > 0


def test_what_can_not_be_accounted_is_refused() -> None:
    """Not tried until memory is full."""
    with pytest.raises(SettingsError, match="wanted more epsilon, or fewer rounds"):
        noise_multiplier(0.01, 1e-10, 1.0, 20_000)
