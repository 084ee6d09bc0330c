"""Did a bakery's day take part? A likelihood ratio on all opened sums by leaf.

Shadow releases stand in for shadow runs: with the trees and margins of the run, the bakery's own
code sums up tables in which each of some days takes part or not, by a coin, and noise is drawn as
in the run. The attacker knows every other row of every bakery, each day's part of the sums, and
that the coin was fair; only who took part it doesn't know. Of Gaussian noise, and of coins by their
mean and covariance, the ratio of likelihoods is a scalar product with the day's part, whitened;
no test tells more of normal sums (Neyman and Pearson, 1933).

A member sees the models, which follow from these sums: it can't tell more from them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from glean.audit.bakery_truth import BakeryTruth
from glean.audit.finding import CONFIDENCE, Interval
from glean.audit.leaf_sums import LeafSums
from glean.audit.members_view import MembersView
from glean.features.matrix import FeatureMatrix
from glean.federation.wire.noised_parts import part_deviation
from glean.federation.wire.sum_request import DAY_GRADIENTS, DAY_HESSIANS
from glean.learning.day_sums import UNIT, DaySums
from glean.privacy.discrete_gaussian import sample
from glean.seeds import derived_seed
from glean.settings import RunSettings

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

MOST_DAYS = 200
"""Days whose coins are thrown; of all bakeries together."""

_EXACT = 1e-6
"""Standard deviation that stands for the rounding of sums without noise, in units."""


@dataclass(frozen=True)
class MembershipFinding:
    """How well days that took part are told from those that didn't.

    Parameters
    ----------
    days : int
        Days whose coins were thrown.
    auc : float
        Chance that of two days the one that took part looks more like it; 0.5 is guessing.
    interval : tuple of float
        Of the AUC.
    """

    days: int
    auc: float
    interval: Interval

    @property
    def significant(self) -> bool:
        """Whether the interval lies above guessing."""
        return self.interval[0] > 0.5


def membership(
    sums: Sequence[LeafSums],
    view: MembersView,
    bakeries: Sequence[BakeryTruth],
    settings: RunSettings,
    *,
    senders: int,
) -> MembershipFinding:
    """Attack the days of some bakeries.

    Parameters
    ----------
    sums : sequence of LeafSums
        What was opened; its trees are those of the shadow releases.
    view : MembersView
        The models, which say how each row was forecast by then.
    bakeries : sequence of BakeryTruth
        Whose days.
    settings : RunSettings
        The run's, which say how much noise there is.
    senders : int
        Bakeries whose parts of the noise are in the sums.
    """
    rng = np.random.default_rng(derived_seed(settings.seed, "audited days"))
    share = -(-MOST_DAYS // len(bakeries))
    parts = np.concatenate(
        [_day_parts(sums, view, one, settings, most=share, rng=rng) for one in bakeries]
    )
    deviation = _deviations(sums, settings, parties=senders)
    took_part = rng.permutation(np.arange(len(parts)) % 2 == 0)
    noise = _noise(deviation) if settings.noise.wanted else np.zeros(parts.shape[1])
    white = parts / deviation
    score = likelihood_ratios(white, took_part @ white + noise / deviation)
    return MembershipFinding(len(parts), *area(score, took_part))


def likelihood_ratios(parts: Floats, released: Floats) -> Floats:
    """Score each day by the logarithm of how much likelier the release is with it than without.

    Parameters
    ----------
    parts : float64 array of shape (days, numbers)
        What each day adds to the release, in standard deviations of its noise.
    released : float64 array of shape (numbers,)
        The release, less all that is known.

    Returns
    -------
    float64 array of shape (days,)
        The others' coins have mean 1/2 and variance 1/4: without the day, what is released has the
        mean of half the others' parts O, and the covariance I + O'O / 4; with it, its part more.
    """
    inner = parts @ parts.T
    off = parts @ released - inner.sum(axis=1) / 2
    found = np.empty(len(parts))
    for day in range(len(parts)):
        others = np.arange(len(parts)) != day
        # Woodbury: the inverse covariance by a system of the size of the days.
        system = inner[np.ix_(others, others)] + 4.0 * np.eye(others.sum())
        weights = np.linalg.solve(system, inner[others, day])
        found[day] = off[day] - weights @ off[others]
    return found


def area(score: Floats, took_part: Mask) -> tuple[float, Interval]:
    """Give the area under the ROC curve and its interval.

    The variance is that of DeLong, DeLong and Clarke-Pearson (Biometrics, 1988).
    """
    inside, outside = score[took_part][:, None], score[~took_part][None, :]
    wins = (inside > outside) + (inside == outside) / 2
    found = float(wins.mean())
    variance = sum(wins.mean(axis=axis).var(ddof=1) / wins.shape[1 - axis] for axis in (0, 1))
    reach = NormalDist().inv_cdf((1.0 + CONFIDENCE) / 2) * math.sqrt(variance)
    return found, (max(found - reach, 0.0), min(found + reach, 1.0))


def best_area(mu: float) -> float:
    """Give the area that no attack on a release with Gaussian privacy `mu` goes beyond.

    It tells two normal distributions `mu` standard deviations apart (Dong, Roth and Su, 2022).
    """
    return (1.0 + math.erf(mu / 2.0)) / 2.0


def _deviations(sums: Sequence[LeafSums], settings: RunSettings, *, parties: int) -> Floats:
    """Give the standard deviation of each number's noise, in the order of `_day_parts`."""
    if not settings.noise.wanted:
        return np.full(sum(2 * len(one.levels) for one in sums), _EXACT)
    each = {
        part: part_deviation(part, settings, parties=parties) * math.sqrt(parties) / UNIT
        for part in (DAY_HESSIANS, DAY_GRADIENTS)
    }
    return np.concatenate(
        [np.repeat([each[DAY_HESSIANS], each[DAY_GRADIENTS]], len(one.levels)) for one in sums]
    )


def _noise(deviation: Floats) -> Floats:
    """Draw the noise as bakeries do."""
    found = np.empty(len(deviation))
    for one in np.unique(deviation):
        mine = deviation == one
        found[mine] = sample(round(one * UNIT), int(mine.sum())) / UNIT
    return found


def _day_parts(
    sums: Sequence[LeafSums],
    view: MembersView,
    bakery: BakeryTruth,
    settings: RunSettings,
    *,
    most: int,
    rng: np.random.Generator,
) -> Floats:
    """Give what each of some days adds to all opened sums, shape (days, numbers)."""
    margins = {one.round: view.margin(one.round, bakery) for one in sums}
    dates = bakery.training.keys["date"].to_numpy()
    days = np.unique(dates)
    drawn = rng.permutation(days)[:most]
    found = []
    for day in np.sort(drawn):
        mine = dates == day
        rows = bakery.training.rows(mine)
        at = {number: margin[mine] for number, margin in margins.items()}
        found.append(_part(rows, sums, at, bakery, noised=settings.noise.wanted))
    return np.stack(found)


def _part(
    rows: FeatureMatrix,
    sums: Sequence[LeafSums],
    margins: Mapping[int, Floats],
    bakery: BakeryTruth,
    *,
    noised: bool,
) -> Floats:
    """Sum up the rows of a day as a bakery does, before it adds noise."""
    if noised:
        day = DaySums(rows, bakery.layout)
        parts = [
            (
                day.hessians(one.trees),
                day.gradients(margins[one.round].astype(np.float32), one.trees),
            )
            for one in sums
        ]
        return np.concatenate([np.concatenate(pair) for pair in parts]) / UNIT
    alone = BakeryTruth(bakery.name, rows, rows, bakery.layout)
    found: list[Floats] = []
    for one in sums:
        leaves, count = alone.leaves(one.trees), len(one.levels)
        errors = rows.level * margins[one.round] - rows.units
        found += [
            np.bincount(leaves.ravel(), np.tile(values, len(leaves)), count).astype(np.float64)
            for values in (rows.level, errors)
        ]
    return np.concatenate(found)
