"""Intervals, and what counts as more than chance."""

from __future__ import annotations

import numpy as np
import pytest

from glean.audit.finding import Finding, wilson


def finding(there: int, not_there: int, both: int = 0, tried: int = 1000) -> Finding:
    mine, other = np.zeros(tried, dtype=bool), np.zeros(tried, dtype=bool)
    mine[: both + there] = True
    other[:both] = True
    other[both + there : both + there + not_there] = True
    return Finding.paired("server", "an attack", "things", mine, other)


@pytest.mark.parametrize(
    ("there", "not_there", "more"), [(6, 0, True), (5, 0, False), (0, 40, False), (30, 25, False)]
)
def test_more_than_chance_is_what_only_one_of_the_two_finds(
    there: int, not_there: int, more: bool
) -> None:
    """By McNemar's test six of six have a chance of 1 in 32, five of five of 1 in 16."""
    assert finding(there, not_there).significant is more
    assert finding(there, not_there, both=300).significant is more


def test_counts_are_those_of_the_masks() -> None:
    """What both find counts in both."""
    found = finding(3, 2, both=10)
    assert (found.there, found.not_there, found.only_there, found.only_not_there) == (13, 12, 3, 2)


def test_the_interval_is_wilson_s() -> None:
    """By its closed form."""
    k, n, z = 13, 196, 1.959963984540054
    middle = (k / n + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * np.sqrt(k / n * (1 - k / n) / n + z**2 / (4 * n**2))
    assert wilson(k, n) == pytest.approx((middle - reach, middle + reach))
    assert wilson(0, 0) == (0.0, 1.0)
