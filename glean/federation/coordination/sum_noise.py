"""How much noise is in a sum, over all bakeries or out of groups."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from glean.aggregation.robust_aggregation import median_noise
from glean.federation.coordination.sum_rounds import SumRounds
from glean.federation.wire.noised_parts import NOISED_PARTS, part_deviation
from glean.learning.day_sums import UNIT


def largest_noise(sum_rounds: SumRounds, part: str) -> float:
    """Give the standard deviation of the noise in an opened vector, at most.

    Parameters
    ----------
    sum_rounds : SumRounds
        Sums over the bakeries.
    part : str
        What is summed; 0 comes out where the run wants no noise.
    """
    groups = sum_rounds.groups
    if groups is None:
        return _noise(sum_rounds, part, len(sum_rounds.manager.trainers))
    return max(_noise(sum_rounds, part, groups.learning(place)) for place in range(groups.count))


def noise_among(
    sum_rounds: SumRounds, part: str, parties: int, *, senders: int | None = None
) -> float:
    """Give the standard deviation of the noise in a sum over some, made for a roster of so many.

    Parameters
    ----------
    sum_rounds, part
        As for `largest_noise`; for sums that aren't made in groups.
    parties : int
        Clients of the roster, of which two thirds give all the noise that is accounted for.
    senders : int, optional
        How many vectors are in the sum; without it the whole roster's.
    """
    return _noise(sum_rounds, part, parties, senders=senders)


def noise_in(sum_rounds: SumRounds, part: str, senders: Collection[str]) -> float:
    """Give the standard deviation of the noise in a sum of some bakeries' vectors.

    In groups each group's carries all the noise that is accounted for, and the median counts.

    Parameters
    ----------
    sum_rounds, part
        As for `largest_noise`.
    senders : collection of str
        Whose vectors are in it.
    """
    groups = sum_rounds.groups
    if groups is None:
        return _noise(sum_rounds, part, len(sum_rounds.manager.trainers), senders=len(senders))
    there = [(groups.learning(place), len(names)) for place, names in groups.parted(senders)]
    each = [_noise(sum_rounds, part, parties, senders=sent) for parties, sent in there]
    sizes = np.array([sent for _, sent in there], dtype=np.float64)
    return median_noise(np.array(each), sizes, size=len(groups.trainers))


def noise_by_group(
    sum_rounds: SumRounds, part: str, senders: Mapping[int, int]
) -> NDArray[np.float64] | None:
    """Give the standard deviation of the noise in each group's sum, in units of the ring.

    Parameters
    ----------
    sum_rounds, part
        As for `largest_noise`; None comes out where the part has no noise.
    senders : mapping of int to int
        By group, how many vectors are in its sum.
    """
    groups, noised = sum_rounds.groups, sum_rounds.manager.settings.noise.wanted
    if groups is None or not noised or part not in NOISED_PARTS:
        return None
    each = [
        _noise(sum_rounds, part, groups.learning(place), senders=sent)
        for place, sent in senders.items()
    ]
    return np.array(each) * UNIT


def _noise(sum_rounds: SumRounds, part: str, parties: int, *, senders: int | None = None) -> float:
    each = part_deviation(part, sum_rounds.manager.settings, parties=parties)
    return each * math.sqrt(parties if senders is None else senders) / UNIT
