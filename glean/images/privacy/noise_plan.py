"""How much noise a client's steps take, so that a run spends no more than its epsilon.

The unit is one picture of one client: what is bounded is how much likelier anything that this
client sends becomes by one picture more or less among its training pictures. How many there are
counts as known.

The accountant is Opacus' PRV: the privacy loss of a Gaussian on Poisson samples is put on a grid
and composed over all steps by FFT (Gopi, Lee and Wutschitz, "Numerical composition of differential
privacy", NeurIPS 2021). Its upper bound is what counts.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from glean.errors import SettingsError
from glean.settings import RunSettings

_GRID = 0.01
"""Error of the accountant as a share of epsilon, and of the search; both make for more noise."""

_MUCH, _TOO_MUCH, _LITTLE = 4.0, 1e6, 0.05


@dataclass(frozen=True)
class NoisePlan:
    """What one client does in one run.

    Parameters
    ----------
    epsilon, delta : float
        What all rounds together may spend.
    sample_rate : float
        Probability by which a step takes a picture.
    steps : int
        In a round.
    rounds : int
        Of the run.
    clip_norm : float
        Longest gradient of a picture, in the Euclidean norm over all weights.
    noise_multiplier : float
        Standard deviation of the noise on a sum of gradients, in clip norms.
    """

    epsilon: float
    delta: float
    sample_rate: float
    steps: int
    rounds: int
    clip_norm: float
    noise_multiplier: float

    @classmethod
    def of(cls, settings: RunSettings, pictures: int) -> NoisePlan:
        """Plan for so many training pictures.

        Raises
        ------
        SettingsError
            Delta is so large that a run could show a picture as it is; or no noise is enough.
        """
        noise, local = settings.noise, settings.local_training
        if noise.delta * pictures >= 1.0:
            raise SettingsError(
                f"delta: found {noise.delta:g} with {pictures} training pictures: by it one of "
                f"them could be shown as it is; wanted less than {1.0 / pictures:.3g}"
            )
        rate = min(1.0, local.batch_size / pictures)
        steps = local.local_steps or local.local_epochs * -(-pictures // local.batch_size)
        rounds = settings.rounds.num_server_rounds
        multiplier = noise_multiplier(noise.epsilon, noise.delta, rate, steps * rounds)
        return cls(noise.epsilon, noise.delta, rate, steps, rounds, local.clip_norm, multiplier)

    def spent_after(self, rounds: int) -> float:
        """Give the epsilon of so many rounds, at the run's delta."""
        if not rounds:
            return 0.0
        return accounted_epsilon(
            self.noise_multiplier,
            self.sample_rate,
            self.steps * rounds,
            self.delta,
            error=self.epsilon * _GRID,
        )


@lru_cache(maxsize=256)
def noise_multiplier(epsilon: float, delta: float, sample_rate: float, steps: int) -> float:
    """Find the least noise by which so many steps spend at most epsilon, in clip norms.

    From a lot of noise down: of little, the accountant's grid is long.

    Raises
    ------
    SettingsError
        None is enough.
    """
    error = epsilon * _GRID

    def enough(multiplier: float) -> bool:
        return accounted_epsilon(multiplier, sample_rate, steps, delta, error=error) <= epsilon

    high = _MUCH
    while not enough(high):
        high *= 2.0
        if high > _TOO_MUCH:
            raise SettingsError(
                f"epsilon: found {epsilon:g} at delta {delta:g} over {steps:,} steps, for which no "
                "noise is enough; wanted more of it, or fewer rounds or epochs"
            )
    low = high / 2.0
    while low > _LITTLE and enough(low):
        high, low = low, low / 2.0
    while high / low > 1.0 + _GRID:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


@lru_cache(maxsize=256)
def accounted_epsilon(
    multiplier: float, sample_rate: float, steps: int, delta: float, *, error: float
) -> float:
    """Give what so many steps spend at most; too high by twice the error at worst.

    Raises
    ------
    SettingsError
        The accountant's grid would be too long.
    """
    from opacus.accountants import PRVAccountant

    accountant = PRVAccountant()
    accountant.history = [(multiplier, sample_rate, steps)]
    try:
        with _no_warnings():
            return float(accountant.get_epsilon(delta=delta, eps_error=error))
    except (MemoryError, RuntimeError, ValueError) as problem:
        raise SettingsError(
            f"epsilon, delta: {steps:,} steps with noise {multiplier:g} can't be accounted for to "
            f"{error:.2g} at delta {delta:g} ({problem!s:.200}); wanted more epsilon, or fewer "
            "rounds or epochs"
        ) from problem


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Let Opacus look for its first grid by rough bounds, of which it would warn."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield
